/* frontend/vm/guest_count.c: how many guests run at once, and what each gets. */
#include <stdio.h>
#include <string.h>

#include "frontend/vm/guest_count.h"
#include "tap.h"

/* "GUESTS CPUS MEMORY", or the error. */
static const struct {
	const char *what;
	struct guest_host host;
	const char *guests, *cpus, *memory, *result;
} rows[] = {
	{ "one guest gets the usual", { 4, 16384 }, "1", NULL, NULL, "1 4 4096M" },
	{ "one guest gets at most eight processors", { 64, 16384 }, "1", NULL, NULL, "1 8 4096M" },
	{ "one guest gets its memory even if it is not free",
	  { 2, 512 },
	  "1",
	  NULL,
	  NULL,
	  "1 2 4096M" },
	{ "guests share the processors", { 8, 65536 }, "4", NULL, NULL, "4 2 4096M" },
	{ "each guest has a processor", { 2, 65536 }, "5", NULL, NULL, "5 1 4096M" },
	{ "guests share the memory", { 8, 8192 }, "4", NULL, NULL, "4 2 2048M" },
	{ "a guest's own numbers are kept", { 8, 65536 }, "4", "3", "2G", "4 3 2048M" },
	{ "too many for the memory",
	  { 8, 8192 },
	  "9",
	  NULL,
	  NULL,
	  "--jobs 9: the host has 8.0G of memory free, enough for 8 of 1024M" },
	{ "too many for --memory",
	  { 8, 8192 },
	  "3",
	  NULL,
	  "3G",
	  "--jobs 3: the host has 8.0G of memory free, enough for 2 of 3072M (--memory)" },
	{ "auto: by processors", { 8, 65536 }, "auto", NULL, NULL, "4 2 4096M" },
	{ "auto: by --cpus", { 8, 65536 }, "auto", "1", NULL, "8 1 4096M" },
	{ "auto: by memory", { 64, 9000 }, "auto", NULL, NULL, "2 8 4096M" },
	{ "auto: at least one", { 1, 100 }, "auto", NULL, NULL, "1 1 4096M" },
	{ "no guest", { 8, 65536 }, "0", NULL, NULL, "--jobs 0: not a number from 1 to 1024" },
	{ "more than anybody needs",
	  { 8, 65536 },
	  "1025",
	  NULL,
	  NULL,
	  "--jobs 1025: not a number from 1 to 1024" },
	{ "a word", { 8, 65536 }, "many", NULL, NULL, "--jobs many: not a number from 1 to 1024" },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		struct guest_count count;
		char text[256];

		if (guest_count_choose(&rows[i].host, rows[i].guests, rows[i].cpus, rows[i].memory,
				       "4G", &count, &err) < 0)
			snprintf(text, sizeof(text), "%s", error_text(err));
		else
			snprintf(text, sizeof(text), "%u %s %s", count.guests, count.cpus,
				 count.memory);
		tap_check(strcmp(text, rows[i].result) == 0, "%s: %s", rows[i].what, text);
	}
	return tap_done();
}
