#include "frontend/fstests/trace_signature.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/trace_place.h"

#define NAME_SIZE 64

struct functions {
	char name[SIGNATURE_FUNCTIONS][NAME_SIZE];
	size_t count;
};

/* --- what is wrong -------------------------------------------------------------------------- */

/* Copies what LINE says is wrong: "slab-use-after-free", "scheduling while atomic". */
static void take_title(enum incident_kind kind, const char *line, char *out, size_t size)
{
	/* The stack says enough about the others, and their lines vary. */
	static const bool titled[INCIDENT_KINDS] = {
		[INCIDENT_PANIC] = true,   [INCIDENT_BUG] = true,   [INCIDENT_KASAN] = true,
		[INCIDENT_KCSAN] = true,   [INCIDENT_KMSAN] = true, [INCIDENT_KFENCE] = true,
		[INCIDENT_LOCKDEP] = true, [INCIDENT_UBSAN] = true,
	};
	static const char *const before[] = {
		"BUG: KASAN: ",	 "BUG: KCSAN: ", "BUG: KMSAN: ",
		"BUG: KFENCE: ", "UBSAN: ",	 "Kernel panic - not syncing: ",
		"kernel BUG",	 "WARNING: ",	 "INFO: ",
		"BUG: ",	 "): "
	};
	static const char *const after[] = { " in ", " at ", " on ", " - ", " detected", " from " };
	const char *start = line;
	size_t length;

	*out = '\0';
	if (!titled[kind])
		return;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before) && start == line; i++) {
		const char *found = strstr(line, before[i]);

		if (found)
			start = found + strlen(before[i]);
	}
	length = strcspn(start, "0123456789/()],:!");
	for (size_t i = 0; i < sizeof(after) / sizeof(*after); i++) {
		const char *found = strstr(start, after[i]);

		if (found && (size_t)(found - start) < length)
			length = (size_t)(found - start);
	}
	while (length && strchr(" [", start[length - 1]))
		length--;
	snprintf(out, size, "%.*s", (int)length, start);
}

/* --- where ---------------------------------------------------------------------------------- */

/* Functions that make the report, or that lead to it from any place. A name ending in '*' stands
 * for all that begin so. */
static bool is_reporting(const char *name)
{
	static const char *const names[] = {
		"dump_stack*",	  "show_stack*",  "dump_backtrace*", "print_report*",
		"print_address*", "kasan_*",	  "__kasan_*",	     "__asan_*",
		"kcsan_*",	  "__tsan_*",	  "kmsan_*",	     "__kmsan_*",
		"__msan_*",	  "kfence_*",	  "ubsan_*",	     "__ubsan_*",
		"__warn*",	  "report_bug",	  "handle_bug",	     "exc_*",
		"asm_exc_*",	  "die",	  "__die*",	     "page_fault_oops",
		"panic",	  "lock_acquire", "__lock_acquire",  "check_noncircular",
		"validate_chain", "__might_*",	  "print_circular*", "kmemleak_*",
		"create_object",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t length = strlen(names[i]);

		if (names[i][length - 1] == '*' ? strncmp(name, names[i], length - 1) == 0
						: strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void take_function(struct functions *f, const char *start, size_t length)
{
	/* ".cold", ".isra.0": which part it is depends on the compiler. */
	const char *dot = memchr(start, '.', length);
	char name[NAME_SIZE];

	if (dot)
		length = (size_t)(dot - start);
	snprintf(name, sizeof(name), "%.*s", (int)length, start);
	if (!length || f->count == SIGNATURE_FUNCTIONS || is_reporting(name) ||
	    (f->count && strcmp(f->name[f->count - 1], name) == 0))
		return;
	memcpy(f->name[f->count++], name, sizeof(name));
}

static void take_functions(struct functions *f, const char *line, size_t length)
{
	struct trace_place place;

	for (const char *at = line; trace_place_find(line, at, line + length, &place);
	     at = place.end)
		if (place.sure)
			take_function(f, place.name, place.name_length);
}

static bool line_begins(const char *line, size_t length, const char *with)
{
	return length >= strlen(with) && strncmp(line, with, strlen(with)) == 0;
}

/* Whether what follows is not about the place where it happened. */
static bool ends_stack(const char *line, size_t length)
{
	static const char *const ends[] = { "allocated by task ",
					    "freed by task ",
					    "Uninit was ",
					    "</TASK>",
					    "RIP: 0033:",
					    "Allocated by task ",
					    "Freed by ",
					    "The buggy address ",
					    "Memory state ",
					    "Mem-Info:",
					    "Kernel panic - not syncing" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (line_begins(line, length, ends[i]))
			return true;
	return false;
}

static void take_stack(enum incident_kind kind, const char *trace, struct functions *f)
{
	bool watchdog = kind == INCIDENT_LOCKUP || kind == INCIDENT_STALL;
	bool first = true;

	for (const char *line = trace; *line; first = false) {
		size_t length = strcspn(line, "\n"), indent = strspn(line, " \t");

		if (indent < length && !first && ends_stack(line + indent, length - indent))
			return;
		if (line_begins(line + indent, length - indent, "</IRQ>") ||
		    line_begins(line + indent, length - indent, "</NMI>")) {
			/* A watchdog's report comes from an interrupt, which says nothing. */
			if (watchdog)
				f->count = 0;
			else if (f->count)
				return;
		}
		take_functions(f, line, length);
		line += length + (line[length] == '\n');
	}
}

/* "BUG: KCSAN: data-race in A / B": two stacks follow, in either order. */
static void take_race(const char *line, struct functions *f)
{
	const char *names = strstr(line, " in ");

	while (names && *names) {
		size_t length;

		names += strspn(names, " /");
		if (strncmp(names, "in ", 3) == 0)
			names += 3;
		length = strcspn(names, " +");
		take_function(f, names, length);
		names += length;
		names = strncmp(names, " / ", 3) == 0 ? names : NULL;
	}
}

void trace_signature(enum incident_kind kind, const char *line, const char *trace,
		     char signature[static SIGNATURE_SIZE])
{
	struct functions functions = { .count = 0 };
	char title[NAME_SIZE];
	int used;

	take_title(kind, line, title, sizeof(title));
	if (kind == INCIDENT_KCSAN)
		take_race(line, &functions);
	else if (kind != INCIDENT_OOM) /* which process asked for memory is chance */
		take_stack(kind, trace, &functions);
	used = snprintf(signature, SIGNATURE_SIZE, "%s%s%s", incident_name(kind), *title ? " " : "",
			title);
	for (size_t i = 0; i < functions.count && used < SIGNATURE_SIZE; i++)
		used += snprintf(signature + used, SIGNATURE_SIZE - (size_t)used, "%s%s",
				 i ? " " : ": ", functions.name[i]);
	text_utf8(signature);
}
