#include "frontend/fstests/kernel_log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/trace_signature.h"

#define LINE_SIZE 1024
#define TEST_SIZE 128
#define TRACE_LINES 200

/* A line matches the first row whose words it contains in this order; more specific rows come
 * before more general ones. */
static const struct log_rule {
	enum incident_kind kind;
	const char *words[3];
} rules[] = {
	{ INCIDENT_PANIC, { "Kernel panic - not syncing" } },
	{ INCIDENT_KASAN, { "BUG: KASAN: " } },
	{ INCIDENT_KCSAN, { "BUG: KCSAN: " } },
	{ INCIDENT_KMSAN, { "BUG: KMSAN: " } },
	{ INCIDENT_KFENCE, { "BUG: KFENCE: " } },
	{ INCIDENT_UBSAN, { "UBSAN: " } },
	{ INCIDENT_LOCKUP, { "BUG: soft lockup" } },
	{ INCIDENT_LOCKUP, { "hard LOCKUP" } },
	{ INCIDENT_STALL, { "INFO: rcu", "stall" } },
	{ INCIDENT_HUNG_TASK, { "INFO: task ", " blocked for more than " } },
	{ INCIDENT_HUNG_TASK, { "INFO: task ", " blocked in I/O wait for more than " } },
	{ INCIDENT_OOPS, { "BUG: unable to handle " } },
	{ INCIDENT_OOPS, { "BUG: kernel NULL pointer dereference" } },
	{ INCIDENT_OOPS, { "Unable to handle kernel " } },
	{ INCIDENT_OOPS, { "general protection fault" } },
	{ INCIDENT_OOPS, { "Oops: " } },
	/* Kernels before 4.19 begin some of these with "INFO: ". */
	{ INCIDENT_LOCKDEP, { ": possible circular locking dependency" } },
	{ INCIDENT_LOCKDEP, { ": possible recursive locking" } },
	{ INCIDENT_LOCKDEP, { ": possible irq lock inversion" } },
	{ INCIDENT_LOCKDEP, { "WARNING: inconsistent lock state" } },
	{ INCIDENT_LOCKDEP, { "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order" } },
	{ INCIDENT_LOCKDEP, { "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order" } },
	{ INCIDENT_LOCKDEP, { "WARNING: bad unlock balance" } },
	{ INCIDENT_LOCKDEP, { "WARNING: held lock freed" } },
	{ INCIDENT_LOCKDEP, { "WARNING: lock held when returning to user space" } },
	{ INCIDENT_LOCKDEP, { ": suspicious RCU usage" } },
	{ INCIDENT_LOCKDEP, { "WARNING: bad contention" } },
	{ INCIDENT_LOCKDEP, { "WARNING: ", " still has locks held" } },
	{ INCIDENT_LOCKDEP, { "INFO: trying to register non-static key" } },
	{ INCIDENT_LOCKDEP, { "WARNING: Nested lock was not taken" } },
	{ INCIDENT_LOCKDEP, { "BUG: MAX_LOCK" } },
	{ INCIDENT_LOCKDEP, { "DEBUG_LOCKS_WARN_ON(" } },
	{ INCIDENT_LOCKDEP, { "BUG: Invalid wait context" } },
	{ INCIDENT_BUG, { "kernel BUG at " } },
	{ INCIDENT_BUG, { "BUG: " } },
	{ INCIDENT_BUG, { "BUG ", " (", "): " } }, /* of a slab cache */
	{ INCIDENT_OOM, { "Out of memory: Killed process" } },
	{ INCIDENT_OOM, { " invoked oom-killer: " } },
	{ INCIDENT_LEAK, { "kmemleak: ", " new suspected memory leak" } },
	{ INCIDENT_WARNING, { "WARNING: CPU: " } },
	{ INCIDENT_WARNING, { "WARNING: ", " at " } },
};

struct kernel_log {
	void (*incident)(const struct incident *incident, void *context);
	void *context;
	char test[TEST_SIZE];
	char line[LINE_SIZE];
	size_t length;

	/* the incident whose trace is being read */
	bool open;
	enum incident_kind kind;
	char head[LINE_SIZE], head_test[TEST_SIZE];
	char trace[INCIDENT_TRACE_MAX];
	size_t lines;
};

struct kernel_log *kernel_log_new(void (*incident)(const struct incident *incident, void *context),
				  void *context)
{
	struct kernel_log *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->incident = incident;
	k->context = context;
	return k;
}

void kernel_log_free(struct kernel_log **k)
{
	free(*k);
	*k = NULL;
}

/* Skips "[ 12.345678] " or "[ 12.345678][ T123] ". */
static const char *skip_time(const char *line)
{
	while (*line == '[') {
		const char *end = strchr(line, ']');

		if (!end || end - line > 24)
			break;
		line = end + 1;
	}
	while (*line == ' ')
		line++;
	return line;
}

static const struct log_rule *classify(const char *line)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const char *at = line;
		size_t word = 0;

		while (word < 3 && rules[i].words[word] && at) {
			at = strstr(at, rules[i].words[word]);
			if (at)
				at += strlen(rules[i].words[word++]);
		}
		if (at && word)
			return &rules[i];
	}
	return NULL;
}

static void close_incident(struct kernel_log *k)
{
	char signature[SIGNATURE_SIZE];
	const struct incident incident = { .kind = k->kind,
					   .test = k->head_test,
					   .line = k->head,
					   .trace = k->trace,
					   .signature = signature };

	if (!k->open)
		return;
	trace_signature(k->kind, k->head, k->trace, signature);
	k->incident(&incident, k->context);
	k->open = false;
}

static void kernel_log_append(struct kernel_log *k, const char *line)
{
	size_t used = strlen(k->trace);

	if (k->lines++ < TRACE_LINES)
		snprintf(k->trace + used, sizeof(k->trace) - used, "%s%s", used ? "\n" : "", line);
}

static void open_incident(struct kernel_log *k, enum incident_kind kind, const char *line)
{
	close_incident(k);
	k->open = true;
	k->kind = kind;
	k->lines = 0;
	*k->trace = '\0';
	snprintf(k->head, sizeof(k->head), "%s", line);
	snprintf(k->head_test, sizeof(k->head_test), "%s", k->test);
	kernel_log_append(k, line);
}

/* One problem is often reported in several lines: the later ones are not new incidents. */
static bool belongs_to_open(const struct kernel_log *k, enum incident_kind kind)
{
	if (!k->open)
		return false;
	if (kind == k->kind)
		return kind == INCIDENT_OOPS || kind == INCIDENT_OOM || kind == INCIDENT_STALL;
	/* "WARNING: CPU: …" follows "DEBUG_LOCKS_WARN_ON(…)", and "Oops: invalid opcode" follows
	 * "kernel BUG at". */
	return (kind == INCIDENT_WARNING && k->kind == INCIDENT_LOCKDEP && k->lines <= 2) ||
	       (kind == INCIDENT_OOPS && k->kind == INCIDENT_BUG);
}

/* KASAN, KCSAN, KMSAN and KFENCE print a line of equals signs before and after a report. */
static bool ends_report(enum incident_kind kind, const char *line)
{
	bool framed = kind == INCIDENT_KASAN || kind == INCIDENT_KCSAN || kind == INCIDENT_KMSAN ||
		      kind == INCIDENT_KFENCE;

	return (framed && text_has_prefix(line, "========")) ||
	       (kind != INCIDENT_PANIC && text_has_prefix(line, "---[ end "));
}

static void kernel_log_take_line(struct kernel_log *k)
{
	static const char mark[] = "run fstests ";
	const char *line = skip_time(text_clean(k->line));
	const struct log_rule *rule;
	const char *test;

	if (text_has_prefix(line, mark)) {
		close_incident(k);
		test = line + strlen(mark);
		snprintf(k->test, sizeof(k->test), "%.*s", (int)strcspn(test, " "), test);
		return;
	}
	rule = classify(line);
	if (rule && !belongs_to_open(k, rule->kind)) {
		open_incident(k, rule->kind, line);
	} else if (k->open) {
		kernel_log_append(k, line);
		if (ends_report(k->kind, line))
			close_incident(k);
	}
}

void kernel_log_feed(struct kernel_log *k, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			k->line[k->length] = '\0';
			kernel_log_take_line(k);
			k->length = 0;
		} else if (data[i] != '\r' && k->length < LINE_SIZE - 1) {
			k->line[k->length++] = data[i] ? data[i] : ' ';
		}
	}
}

void kernel_log_end(struct kernel_log *k)
{
	if (k->length) {
		k->line[k->length] = '\0';
		kernel_log_take_line(k);
		k->length = 0;
	}
	close_incident(k);
}
