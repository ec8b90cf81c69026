#include "frontend/vm/guest_count.h"

#include <stdio.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "lib/cleanup.h"

#define GUESTS_MOST 1024
#define CPUS_MOST 8	  /* by default */
#define CPUS_AUTO 2	  /* of each guest with "auto": races need two */
#define MEMORY_LEAST 1024 /* MiB that fstests needs, by default */

/* proc_meminfo(5). Without the file, more than any guest wants. */
static uint64_t memory_available(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	unsigned long long kib;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			return kib / 1024;
	return UINT64_MAX / GUESTS_MOST;
}

struct guest_host guest_host_read(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	return (struct guest_host){ online < 1 ? 1 : (unsigned int)online, memory_available() };
}

/* As many guests as HOST has room for if each gets EACH MiB. */
static unsigned int count_auto(const struct guest_host *host, const char *cpus, uint64_t each)
{
	unsigned int per_guest = cpus ? (unsigned int)strtoul(cpus, NULL, 10) : CPUS_AUTO;
	uint64_t most = host->cpus / per_guest;

	if (most > host->memory / each)
		most = host->memory / each;
	if (most > GUESTS_MOST)
		most = GUESTS_MOST;
	return most < 1 ? 1 : (unsigned int)most;
}

/* The MiB of each guest, or 0 with ERR set if that is less than LEAST. */
static uint64_t divide_memory(const struct guest_host *host, unsigned int guests, uint64_t each,
			      uint64_t least, const char *why, struct error **err)
{
	char size[TEXT_SIZE_LEN];

	if (guests == 1 || guests * each <= host->memory)
		return each;
	if (guests * least <= host->memory)
		return host->memory / guests;
	error_set(err, ERR_INPUT,
		  "--jobs %u: the host has %s of memory free, enough for %ju of %juM%s", guests,
		  text_size(host->memory << 20, size), (uintmax_t)(host->memory / least),
		  (uintmax_t)least, why);
	return 0;
}

int guest_count_choose(const struct guest_host *host, const char *guests, const char *cpus,
		       const char *memory, const char *usual, struct guest_count *out,
		       struct error **err)
{
	uint64_t each = parse_size(memory ? memory : usual, true) >> 20;
	unsigned int share;

	if (strcmp(guests, "auto") == 0)
		out->guests = count_auto(host, cpus, each);
	else if (parse_number("--jobs", guests, GUESTS_MOST, &out->guests, err) < 0)
		return -1;
	each = divide_memory(host, out->guests, each, memory ? each : MEMORY_LEAST,
			     memory ? " (--memory)" : "", err);
	if (!each)
		return -1;
	share = host->cpus / out->guests;
	share = share < 1 ? 1 : share > CPUS_MOST ? CPUS_MOST : share;
	snprintf(out->memory, sizeof(out->memory), "%juM", (uintmax_t)each);
	snprintf(out->cpus, sizeof(out->cpus), "%u", share);
	if (cpus)
		snprintf(out->cpus, sizeof(out->cpus), "%s", cpus);
	return 0;
}
