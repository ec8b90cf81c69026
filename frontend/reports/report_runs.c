#include "frontend/reports/report_runs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"

#define LINES_MOST (64u << 20)

const char *report_text(const struct report_run *run, const char *key)
{
	return json_string_value(json_object_get(run->record, key));
}

const char *report_configuration(const struct report_run *run, const struct test_result *result)
{
	const char *fstype = report_text(run, "fstype");

	return *result->section ? result->section : fstype ? fstype : "-";
}

bool report_is_bad(enum test_status status)
{
	return status == TEST_FAIL || status == TEST_CRASH || status == TEST_TIMEOUT;
}

bool report_is_excused(const struct test_result *result)
{
	return result->status == TEST_FAIL && result->excuse != EXCUSE_NONE;
}

const char *report_word(enum test_status status)
{
	switch (status) {
	case TEST_PASS:
		return "passed";
	case TEST_FAIL:
		return "failed";
	case TEST_NOTRUN:
		return "not run";
	case TEST_EXPUNGED:
	case TEST_EXCLUDED:
		return "excluded";
	case TEST_CRASH:
		return "crashed";
	case TEST_TIMEOUT:
		return "timed out";
	case TEST_UNREACHED:
		return "not reached";
	default:
		return test_status_name(status);
	}
}

/* Without run.json's final status, only the lock tells a run in progress from one that was cut
 * off. */
static const char *report_state(const struct report_run *run)
{
	const char *status = report_text(run, "status");

	if (status)
		return status;
	return run_dir_busy(&run->dir) ? "running" : "cut off";
}

/* Returns how many lines TEXT has; an unfinished one at its end counts unless the run goes on. */
static size_t report_count_lines(const char *text, bool running)
{
	size_t count = 0;

	for (const char *end; *text; text = end + 1, count++) {
		end = strchr(text, '\n');
		if (!end)
			return count + !running;
	}
	return count;
}

/* Reads a file of lines of the run; an empty text if it has none. */
static char *report_read_lines(const struct report_run *run, const char *name, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	char *text = tree_read(run->dir.fd, name, LINES_MOST, NULL, &why);

	if (!text && why && why->code == ERR_MISSING)
		return calloc(1, 1);
	if (!text)
		error_set(err, ERR_INPUT, "%s: %s", run->dir.path, error_text(why));
	return text;
}

static int report_read_results(struct report_run *run, bool running, struct error **err)
{
	_cleanup_free_ char *text = report_read_lines(run, RUN_TESTS, err);
	size_t lines;

	if (!text)
		return -1;
	if (!*text)
		return 0;
	if (results_read(run->dir.fd, RUN_TESTS, &run->results, err) < 0)
		return -1;
	/* A run in progress may have got more since. */
	lines = report_count_lines(text, running);
	if (lines > run->results.count)
		run->unread += lines - run->results.count;
	return 0;
}

static int report_read_kernel(struct report_run *run, bool running, struct error **err)
{
	_cleanup_free_ char *text = report_read_lines(run, RUN_KERNEL, err);
	size_t lines;

	run->kernel = json_array();
	if (!text || !run->kernel)
		return text ? error_no_memory(err) : -1;
	lines = report_count_lines(text, running);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);

		if (json_is_object(object)) {
			json_clean(object);
			json_array_append_new(run->kernel, object);
		} else {
			json_decref(object);
		}
	}
	run->unread += lines - json_array_size(run->kernel);
	return 0;
}

static int report_read_run(const char *name, struct report_run *run, struct error **err)
{
	bool running;

	run->dir = RUN_DIR_NONE;
	if (run_dir_open(name, &run->dir, err) < 0)
		return -1;
	run->record = run_dir_read(&run->dir, err);
	if (!run->record)
		return -1;
	run->state = report_state(run);
	run->began = json_integer_value(json_object_get(run->record, "began"));
	running = strcmp(run->state, "running") == 0;
	return report_read_results(run, running, err) < 0 ? -1
							  : report_read_kernel(run, running, err);
}

static int report_compare_runs(const void *a, const void *b)
{
	const struct report_run *one = a, *other = b;

	if (one->began != other->began)
		return one->began < other->began ? -1 : 1;
	return strcmp(one->dir.id, other->dir.id);
}

static bool report_is_same(const struct report_run *a, const struct report_run *b)
{
	struct stat one, other;

	return fstat(a->dir.fd, &one) == 0 && fstat(b->dir.fd, &other) == 0 &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static int report_check_twice(const struct report *r, struct error **err)
{
	for (size_t i = 0; i < r->count; i++)
		for (size_t k = 0; k < i; k++)
			if (report_is_same(&r->runs[i], &r->runs[k]))
				return error_set(err, ERR_INPUT, "run %s is named twice",
						 r->runs[i].dir.id);
	return 0;
}

int report_read(char *const *names, struct report *r, struct error **err)
{
	size_t count = 0;

	*r = (struct report){ 0 };
	while (names[count])
		count++;
	if (count > REPORT_RUNS_MOST)
		return error_set(err, ERR_INPUT, "a report has at most %d runs", REPORT_RUNS_MOST);
	r->runs = calloc(count + 1, sizeof(*r->runs));
	if (!r->runs)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		if (report_read_run(names[i], &r->runs[r->count++], err) < 0)
			return -1;
	if (report_check_twice(r, err) < 0)
		return -1;
	qsort(r->runs, r->count, sizeof(*r->runs), report_compare_runs);
	return 0;
}

void report_runs_clear(struct report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		run_dir_close(&r->runs[i].dir);
		json_decref(r->runs[i].record);
		json_decref(r->runs[i].kernel);
		results_clear(&r->runs[i].results);
	}
	free(r->runs);
	*r = (struct report){ 0 };
}

char *report_read_file(const struct report_run *run, const struct test_result *result,
		       const char *suffix, size_t most, uint64_t *size)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *path = NULL;
	char guest[32] = "";
	struct stat st;
	int fd;

	if (result->guest)
		snprintf(guest, sizeof(guest), GUEST_PART "/", result->guest);
	if (asprintf(&path, "%s%s%s" RUN_RESULTS "/%s%s%s%s.%s", result->task ? "tasks/" : "",
		     result->task ? result->task : "", result->task ? "/" : "", guest,
		     result->section, *result->section ? "/" : "", result->name, suffix) < 0)
		return NULL;
	fd = tree_open(run->dir.fd, path, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		closep(&fd);
		return NULL;
	}
	closep(&fd);
	*size = (uint64_t)st.st_size;
	return text_clean_lines(tree_read_start(run->dir.fd, path, most, &ignored));
}
