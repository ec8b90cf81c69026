/* frontend/vm/vm_terminal.c: keys typed at a guest's terminal, and what the guest receives. */
#include <string.h>

#include "frontend/vm/vm_terminal.h"

#include "tap.h"

static const struct {
	const char *what, *typed, *passed;
	bool end;
} rows[] = {
	{ "a line", "ls\r", "ls\r", false },
	{ "Ctrl-C", "\003", "\003", false },
	{ "~. at the start", "~.", "", true },
	{ "~. after a line", "ls\r~.", "ls\r", true },
	{ "~. in a line", "a~.\r", "a~.\r", false },
	{ "~~ at the start of a line", "~~.\r", "~.\r", false },
	{ "~ before another key", "~a~.", "~a~.", false },
	{ "~ and Return, then ~.", "~\r~.", "~\r", true },
	{ "~.. : nothing after the end", "~..ls", "", true },
	{ "three ~", "~~~", "~~", false },
};

/* In pieces of SIZE bytes. */
static bool matches(size_t row, size_t size)
{
	struct vm_keys keys = { 0 };
	const char *typed = rows[row].typed;
	char passed[64] = "";
	size_t count = 0;
	bool end = false;

	for (size_t left = strlen(typed); left && !end;) {
		size_t piece = left < size ? left : size;

		count += vm_keys_filter(&keys, typed, piece, passed + count, &end);
		typed += piece;
		left -= piece;
	}
	return end == rows[row].end && count == strlen(rows[row].passed) &&
	       memcmp(passed, rows[row].passed, count) == 0;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(matches(i, 64) && matches(i, 1) && matches(i, 2), "%s", rows[i].what);
	return tap_done();
}
