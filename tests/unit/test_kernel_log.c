/* frontend/fstests/kernel_log.c on recorded consoles: tests/recorded/kernel/NAME.log, each with the
 * expected findings in NAME.expected, "KIND|TEST|LINE|LINES|LAST|SIGNATURE" per line; LINES is the
 * length of the trace, and LAST its last line. documented.log has the reports of Linux'
 * Documentation/dev-tools, shortened; faults-6.1.log is of a kernel with KASAN, lockdep and
 * kmemleak. */
#include "frontend/fstests/kernel_log.h"

#include "recorded.h"
#include "tap.h"

struct found {
	char text[65536];
	size_t count, longest;
};

static void take(const struct incident *incident, void *context)
{
	struct found *found = context;
	const char *last = strrchr(incident->trace, '\n');
	size_t used = strlen(found->text), lines = 1;

	for (const char *p = incident->trace; (p = strchr(p, '\n')); p++)
		lines++;
	snprintf(found->text + used, sizeof(found->text) - used, "%s|%s|%s|%zu|%s|%s\n",
		 incident_name(incident->kind), incident->test, incident->line, lines,
		 last ? last + 1 : incident->trace, incident->signature);
	if (strlen(incident->trace) > found->longest)
		found->longest = strlen(incident->trace);
	found->count++;
}

static void feed(struct found *found, const char *text, size_t size, size_t step)
{
	struct kernel_log *log = kernel_log_new(take, found);

	*found = (struct found){ 0 };
	for (size_t at = 0; at < size; at += step)
		kernel_log_feed(log, text + at, size - at < step ? size - at : step);
	kernel_log_end(log);
	kernel_log_free(&log);
}

static void try_one(const char *name, const char *text, size_t size, const char *expected)
{
	static struct found whole, bytes;
	bool prefix = true;

	feed(&whole, text, size, size ? size : 1);
	tap_check(strcmp(whole.text, expected) == 0, "kernel log %s", name);
	if (strcmp(whole.text, expected) != 0)
		tap_note(whole.text);
	tap_check(whole.longest < INCIDENT_TRACE_MAX, "kernel log %s: traces are bounded", name);
	feed(&bytes, text, size, 1);
	tap_check(strcmp(whole.text, bytes.text) == 0, "kernel log %s, byte by byte", name);
	/* Truncated anywhere: complete findings are unchanged, and none are invented. */
	for (size_t cut = 0; cut < size; cut += 97) {
		feed(&bytes, text, cut, cut ? cut : 1);
		prefix = prefix && bytes.count <= whole.count;
	}
	tap_check(prefix, "kernel log %s, truncated anywhere", name);
}

int main(void)
{
	recorded_each("kernel", ".log", try_one);
	return tap_done();
}
