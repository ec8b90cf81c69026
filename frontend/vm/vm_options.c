#include "frontend/vm/vm_options.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "frontend/cli/text.h"

#define CPUS_MOST 8
#define MEMORY_LEAST (UINT64_C(64) << 20)

uint64_t parse_size(const char *text, bool megabytes)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long number;
	unsigned int shift = megabytes ? 20 : 0;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || !isdigit((unsigned char)*text))
		return 0;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return 0;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	return number > (uint64_t)INT64_MAX >> shift ? 0 : (uint64_t)number << shift;
}

int parse_number(const char *name, const char *text, unsigned long limit, unsigned int *number,
		 struct error **err)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || !isdigit((unsigned char)*text) || *end || !value || value > limit)
		return error_set(err, ERR_INPUT, "%s %s: not a number from 1 to %lu", name, text,
				 limit);
	*number = (unsigned int)value;
	return 0;
}

int parse_disk_size(const char *name, const char *text, uint64_t *bytes, struct error **err)
{
	*bytes = parse_size(text, false);
	if (*bytes < 512 || *bytes % 512)
		return error_set(err, ERR_INPUT,
				 "%s %s: not a size in multiples of 512 bytes, at most 8388607T; "
				 "example: 10G",
				 name, text);
	return 0;
}

int check_memory_size(const char *text, struct error **err)
{
	if (parse_size(text, true) >= MEMORY_LEAST)
		return 0;
	return error_set(err, ERR_INPUT, "--memory %s: not a size of at least 64M; example: 2G",
			 text);
}

int check_memory(const char *text, struct error **err)
{
	uint64_t bytes = parse_size(text, true), most;
	char size[TEXT_SIZE_LEN];
	struct sysinfo host;

	if (check_memory_size(text, err) < 0)
		return -1;
	if (sysinfo(&host) < 0)
		return 0;
	most = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
	if (bytes <= most)
		return 0;
	return error_set(err, ERR_INPUT, "--memory %s: this host has only %s, including swap", text,
			 text_size(most, size));
}

int add_append(char **append, const char *words, struct error **err)
{
	char *both;
	bool quoted = false;

	/* vng treats a value in double quotes as one word, and quotes it for the kernel itself. */
	for (const char *p = words; *p; p++) {
		quoted = quoted != (*p == '"');
		if (iscntrl((unsigned char)*p) || strchr("'\\`", *p))
			return error_set(err, ERR_INPUT,
					 "--append: control characters, backslashes, single quotes "
					 "and backquotes are not allowed");
	}
	if (quoted)
		return error_set(
			err, ERR_INPUT,
			"--append %s: unmatched double quote; example: dyndbg=\"file foo.c +p\"",
			words);
	if (asprintf(&both, "%s%s%s", *append ? *append : "", *append ? " " : "", words) < 0)
		return error_errno(err, ERR_SYSTEM, "--append");
	free(*append);
	*append = both;
	return 0;
}

void default_cpus(char text[static CPUS_TEXT])
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	snprintf(text, CPUS_TEXT, "%ld", cpus < 1 ? 1 : cpus > CPUS_MOST ? CPUS_MOST : cpus);
}
