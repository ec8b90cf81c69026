#include "frontend/fstests/result_files.h"

#include <stdint.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/kernel_log.h"
#include "frontend/fstests/kmemleak.h"

#define NOTRUN_MOST 4096
#define OUTPUT_MOST 4096
#define DMESG_MOST (1u << 20)
#define DMESG_SHOWN 4096
#define LEAKS_MOST (1u << 20)
#define LOG_MOST (1u << 20)
#define UNSTARTABLE_MOST (4u << 20)
#define MOUNTED "/mnt/" /* frontend/guest/fstests.sh mounts the test filesystems there */

#define LEAK_CHECK "_check_kmemleak"
#define IN_LOG "check.log lists it as failed"

/* Returns the start of [SECTION/]NAME.SUFFIX, or NULL if it cannot be read. The caller frees it. */
static char *result_files_read_file(int dir, const struct test_result *result, const char *suffix,
				    size_t most)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s%s%s.%s", result->section, *result->section ? "/" : "", result->name,
		     suffix) < 0)
		return NULL;
	return tree_read_start(dir, path, most, &ignored);
}

static void result_files_add_line(struct result_text *text, const char *line, size_t length)
{
	size_t used = strlen(text->detail);
	size_t room = sizeof(text->detail) - used;
	char *added = text->detail + used + (used != 0);

	if (room < 3)
		return;
	snprintf(text->detail + used, room, "%s%.*s", used ? "\n" : "", (int)length, line);
	for (char *p = added; *p; p++)
		if (*p == '\t')
			*p = ' ';
	text_clean(added);
}

static void add_lines(struct result_text *text, const char *lines)
{
	while (*lines) {
		size_t length = strcspn(lines, "\n");

		result_files_add_line(text, lines, length);
		lines += length + (lines[length] == '\n');
	}
}

/* Joins the file's lines into one reason. */
static void take_notrun(const char *file, struct test_result *result, struct result_text *text)
{
	size_t used = 0;

	for (const char *line = file; *line && used < sizeof(text->reason);) {
		size_t length = strcspn(line, "\n");

		if (length)
			used += (size_t)snprintf(text->reason + used, sizeof(text->reason) - used,
						 "%s%.*s", used ? "; " : "", (int)length, line);
		line += length + (line[length] == '\n');
	}
	if (used)
		result->reason = text_clean(text->reason);
}

struct first {
	bool found;
	char line[512], trace[INCIDENT_TRACE_MAX];
};

static void keep_first(const struct incident *incident, void *context)
{
	struct first *first = context;

	if (first->found)
		return;
	first->found = true;
	snprintf(first->line, sizeof(first->line), "%s", incident->line);
	snprintf(first->trace, sizeof(first->trace), "%s", incident->trace);
}

/* Takes the first known kernel incident or, if none is known, the end of the file. */
static void take_dmesg(const char *file, struct test_result *result, struct result_text *text)
{
	struct first first = { .found = false };
	struct kernel_log *log = kernel_log_new(keep_first, &first);
	size_t size = strlen(file);

	if (!log)
		return;
	kernel_log_feed(log, file, size);
	kernel_log_end(log);
	kernel_log_free(&log);
	if (!first.found) {
		add_lines(text, file + (size > DMESG_SHOWN ? size - DMESG_SHOWN : 0));
		return;
	}
	add_lines(text, first.trace);
	if (!result->reason || strncmp(result->reason, "_check_dmesg", 12) == 0) {
		snprintf(text->reason, sizeof(text->reason), "in dmesg: %s", first.line);
		result->reason = text->reason;
	}
}

static bool result_files_names(const char *text, const char *what)
{
	return text && strstr(text, what);
}

/* Whether "_check_dmesg", say, printed that it found something. */
static bool check_found(const struct test_result *result, const char *check)
{
	return result_files_names(result->reason, check) ||
	       result_files_names(result->detail, check);
}

char *result_files_leaks(int dir, const struct test_result *result)
{
	return result->status == TEST_FAIL && check_found(result, LEAK_CHECK)
		       ? result_files_read_file(dir, result, "kmemleak", LEAKS_MOST)
		       : NULL;
}

static void take_leaks(const char *file, struct test_result *result, struct result_text *text)
{
	size_t count = kmemleak_count(file);
	const char *first = strstr(file, "unreferenced object ");

	add_lines(text, first ? first : file);
	if (result->reason && !text_has_prefix(result->reason, LEAK_CHECK))
		return;
	snprintf(text->reason, sizeof(text->reason), "kmemleak: %zu object%s leaked", count,
		 count == 1 ? "" : "s");
	result->reason = text->reason;
}

void result_files_add(int dir, struct test_result *result, struct result_text *text)
{
	_cleanup_free_ char *output = NULL;
	_cleanup_free_ char *kernel = NULL;
	_cleanup_free_ char *leaks = result_files_leaks(dir, result);

	*text->reason = *text->detail = '\0';
	if (result->status == TEST_NOTRUN) {
		_cleanup_free_ char *reason =
			result_files_read_file(dir, result, "notrun", NOTRUN_MOST);

		if (reason)
			take_notrun(reason, result, text);
		return;
	}
	if (result->status != TEST_FAIL)
		return;
	if (result->detail)
		snprintf(text->detail, sizeof(text->detail), "%s", result->detail);
	if (!result_files_names(result->detail, "+++ ") &&
	    (output = result_files_read_file(dir, result, "out.bad", OUTPUT_MOST))) {
		if (*output)
			result_files_add_line(text, "it printed:", strlen("it printed:"));
		add_lines(text, output);
	}
	/* With KEEP_DMESG every test has a dmesg file. */
	if (check_found(result, "_check_dmesg") &&
	    (kernel = result_files_read_file(dir, result, "dmesg", DMESG_MOST)))
		take_dmesg(kernel, result, text);
	if (leaks)
		take_leaks(leaks, result, text);
	result->detail = *text->detail ? text->detail : NULL;
}

/* Returns the last result of a test that passed every time it ran, or NULL. */
static struct test_result *find_passed(struct results *results, const char *section,
				       const char *name)
{
	struct test_result *found = NULL;

	for (size_t i = 0; i < results->count; i++) {
		struct test_result *r = &results->list[i];

		if (strcmp(r->name, name) != 0 || strcmp(r->section, section) != 0)
			continue;
		if (r->status != TEST_PASS)
			return NULL;
		found = r;
	}
	return found;
}

static int take_failures(char *words, const char *section, struct results *results,
			 struct error **err)
{
	char *rest = NULL;
	int count = 0;

	for (char *name = strtok_r(words, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
		struct test_result *result = find_passed(results, section, name);
		char *reason;

		if (!result)
			continue;
		reason = strdup(IN_LOG);
		if (!reason)
			return error_no_memory(err);
		free((char *)(uintptr_t)result->reason);
		result->reason = reason;
		result->status = TEST_FAIL;
		count++;
	}
	return count;
}

static int compare_section(int dir, const char *section, struct results *results,
			   struct error **err)
{
	static const char failures[] = "Failures: ";
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *log = NULL;
	char *rest = NULL;
	int count = 0;

	if (asprintf(&path, "%s%scheck.log", section, *section ? "/" : "") < 0)
		return error_no_memory(err);
	log = tree_read_start(dir, path, LOG_MOST, &ignored);
	if (!log)
		return 0;
	for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int more = 0;

		if (text_has_prefix(line, failures))
			more = take_failures(line + strlen(failures), section, results, err);
		if (more < 0)
			return -1;
		count += more;
	}
	return count;
}

/* Whether an earlier result of the same guest has the same section. */
static bool section_seen(const struct results *results, size_t count, unsigned int guest)
{
	const struct test_result *list = results->list;

	for (size_t i = count; i-- > 0;)
		if (list[i].guest == guest && strcmp(list[i].section, list[count].section) == 0)
			return true;
	return false;
}

/* Each section has its own check.log. */
int result_files_compare(int dir, unsigned int guest, struct results *results, struct error **err)
{
	int count = 0;

	for (size_t i = 0; i < results->count; i++) {
		int more;

		if (results->list[i].guest != guest || section_seen(results, i, guest))
			continue;
		more = compare_section(dir, results->list[i].section, results, err);
		if (more < 0)
			return -1;
		count += more;
	}
	return count;
}

/* --- programs that do not start --------------------------------------------------------------- */

/* Error messages, as they follow the program's name. */
static const struct saying {
	const char *mark, *also;
} sayings[] = {
	{ ": error while loading shared libraries: ", NULL },
	{ ": version `", "' not found (required by " },
	{ ": bad interpreter: ", NULL },
	{ ": cannot execute: required file not found", NULL },
	{ ": cannot execute binary file: Exec format error", NULL },
};

/* The kernel runs /usr/bin/env for "#!/usr/bin/env NAME"; a test would call plain env. */
static bool env_misses(const char *line)
{
	static const char end[] = "No such file or directory";
	size_t length = strlen(line);

	return strncmp(line, "/usr/bin/env: ", 14) == 0 && length > strlen(end) &&
	       strcmp(line + length - strlen(end), end) == 0;
}

/* A program appears by its path in fstests or in the system, or by its name in PATH. A test that
 * copies a program uses the copy's name. */
static bool is_of_test(const char *name)
{
	static const char *const relative[] = { "src/", "ltp/", "common/", "tests/", "check" };

	if (text_has_prefix(name, MOUNTED))
		return true;
	if (strncmp(name, "./", 2) != 0)
		return false;
	for (size_t i = 0; i < sizeof(relative) / sizeof(*relative); i++)
		if (text_has_prefix(name + 2, relative[i]))
			return false;
	return true;
}

/* The shell and the loader print more than the program's name: "./common/rc: line 3: src/x: …". */
static bool says_unstartable(const char *line)
{
	for (size_t i = 0; i < sizeof(sayings) / sizeof(*sayings); i++) {
		const char *mark = strstr(line, sayings[i].mark), *name = line;
		bool of_test = false;

		if (!mark || (sayings[i].also && !strstr(mark, sayings[i].also)))
			continue;
		while (name < mark && !of_test) {
			of_test = is_of_test(name);
			name = strstr(name, ": ") + 2;
		}
		return !of_test;
	}
	return env_misses(line);
}

/* Returns the first such line of TEXT, which it modifies. The caller frees it. */
static char *find_unstartable(char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (says_unstartable(line))
			return strdup(text_clean(line));
	return NULL;
}

char *result_files_unstartable(int dir, const struct test_result *result)
{
	static const char *const suffixes[] = { "out.bad", "notrun", "full" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		_cleanup_free_ char *text =
			result_files_read_file(dir, result, suffixes[i], UNSTARTABLE_MOST);
		char *line = text ? find_unstartable(text) : NULL;

		if (line)
			return line;
	}
	return NULL;
}
