#include "frontend/commands/vm_line.h"

#include <sys/stat.h>
#include <stdio.h>
#include <string.h>

#define CPUS_MOST 255
#define DAYS_MOST 36500

int line_number(const struct parsed_line *line, int code, unsigned long limit, unsigned int *number,
		struct error **err)
{
	const char *value = line_value(line, code);
	const struct option_row *row = option_row_coded(line->command, code);

	return value ? parse_number(row->name, value, limit, number, err) : 0;
}

int line_memory(const struct parsed_line *line, const char **memory, struct error **err)
{
	*memory = line_value(line, OPTION_MEMORY);
	/* The default may be more than the host has. */
	return line_sets(line, OPTION_MEMORY) ? check_memory(*memory, err) : 0;
}

int line_cpus(const struct parsed_line *line, char out[static CPUS_TEXT], struct error **err)
{
	unsigned int number = 0;

	default_cpus(out);
	if (line_number(line, OPTION_CPUS, CPUS_MOST, &number, err) < 0)
		return -1;
	if (number)
		snprintf(out, CPUS_TEXT, "%u", number);
	return 0;
}

int line_append(const struct parsed_line *line, char **append, struct error **err)
{
	const char *words;
	size_t i = 0;

	while ((words = line_next(line, OPTION_APPEND, &i)))
		if (add_append(append, words, err) < 0)
			return -1;
	return 0;
}

enum root_transport line_transport(const struct parsed_line *line)
{
	enum root_transport transport = ROOT_AUTO;

	root_transport_parse(line_value(line, OPTION_ROOT_TRANSPORT), &transport);
	return transport;
}

int line_upgrade(const struct parsed_line *line, struct upgrade_wish *wish, struct error **err)
{
	const char *mode = line_value(line, OPTION_AUTO_UPGRADE),
		   *days = line_value(line, OPTION_MAX_AGE);

	*wish = (struct upgrade_wish){
		.mode = strcmp(mode, "always") == 0	? UPGRADE_ALWAYS
			: strcmp(mode, "security") == 0 ? UPGRADE_SECURITY
							: UPGRADE_NEVER,
		.name = line_value(line, OPTION_NAME),
		.path = line_value(line, OPTION_PATH),
		.keyring = line_value(line, OPTION_KEYRING),
	};
	if (strcmp(days, "0") == 0)
		return 0;
	if (parse_number("--max-age", days, DAYS_MOST, &wish->days, NULL) == 0)
		return 0;
	return error_set(err, ERR_INPUT, "--max-age %s: not a number of days from 0 to %d", days,
			 DAYS_MOST);
}

int line_overlays(const struct parsed_line *line, const char *list[static VM_OVERLAYS_MAX + 1],
		  struct error **err)
{
	const char *value;
	size_t i = 0, count = 0;
	struct stat st;

	while ((value = line_next(line, OPTION_OVERLAY, &i))) {
		if (count == VM_OVERLAYS_MAX)
			return error_set(err, ERR_INPUT, "--overlay is given more than %d times",
					 VM_OVERLAYS_MAX);
		if (stat(value, &st) < 0)
			return error_errno(err, ERR_INPUT, "--overlay %s", value);
		if (!S_ISDIR(st.st_mode))
			return error_set(err, ERR_INPUT, "--overlay %s is not a directory", value);
		list[count++] = value;
	}
	list[count] = NULL;
	return 0;
}
