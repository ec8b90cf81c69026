#include "frontend/bisect/bisect_step.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/bisect/bisect_git.h"
#include "frontend/cli/child.h"
#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/fstests.h"
#include "lib/clock.h"
#include "lib/write_all.h"

#define CONFIG_MOST (1u << 20)
#define EVENTS_MOST (256u << 20)
#define LOG_END 65536 /* bytes */
#define COUNTS_SIZE 64
#define ENDS 2
#define HERE "{}" /* in a word of the user: the worktree */

const char *bisect_verdict_name(enum bisect_verdict verdict)
{
	static const char *const names[] = { "good", "bad", "skipped" };

	return names[verdict];
}

/* --- the build ------------------------------------------------------------------------------ */

/* WORD with the worktree's path for each "{}". The caller frees it; NULL if out of memory. */
static char *bisect_word(const char *word, const char *worktree)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *at;

	if (!out)
		return NULL;
	for (; (at = strstr(word, HERE)); word = at + strlen(HERE))
		fprintf(out, "%.*s%s", (int)(at - word), word, worktree);
	fputs(word, out);
	return fclose(out) == 0 ? text : NULL;
}

static int bisect_log_open(const struct bisect_state *s, const char *name, struct error **err)
{
	int fd = openat(s->fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot write %s/%s", s->path, name) : fd;
}

/* Gives the worktree the configuration of the start: an older kernel's `make olddefconfig` drops
 * options that a newer one has. */
static int bisect_configure(const struct bisect_state *s, const char *worktree, struct error **err)
{
	_cleanup_error_ struct error *missing = NULL;
	_cleanup_free_ char *text = tree_read(s->fd, BISECT_CONFIG, CONFIG_MOST, NULL, &missing);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (!text)
		return 0;
	snprintf(path, sizeof(path), "%s/.config", worktree);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", path);
	return 0;
}

/* In a session of its own, so that the shell can end make and its compilers, too: it gets a SIGTERM
 * when bisect is interrupted, and when it dies. */
static const char build_script[] = "trap 'trap \"\" TERM; kill -TERM 0; wait; exit 143' TERM\n"
				   "cd \"$0\" || exit\n"
				   "eval \"$1\" &\n"
				   "wait \"$!\"\n";

/* Returns the build's exit status, or -1 with ERR set. */
static int bisect_build(const struct bisect_state *s, const char *worktree, struct error **err)
{
	_cleanup_free_ char *command = bisect_word(bisect_state_text(s, "make"), worktree);
	_cleanup_close_ int log = bisect_log_open(s, BISECT_BUILD_LOG, err);
	const char *const words[] = { "setsid", "sh", "-c", build_script, worktree, command, NULL };
	pid_t pid;

	if (!command)
		return error_no_memory(err);
	if (log < 0 || bisect_configure(s, worktree, err) < 0 ||
	    child_start(words, (int[]){ -1, log, log }, &pid, err) < 0)
		return -1;
	return child_wait(pid, err);
}

/* Whether the last lines of a log name a full disk. */
static bool bisect_log_names_full_disk(const struct bisect_state *s, const char *name)
{
	_cleanup_close_ int fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC);
	char end[LOG_END + 1];
	struct stat st;
	ssize_t length;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	length = pread(fd, end, LOG_END, st.st_size > LOG_END ? st.st_size - LOG_END : 0);
	return length > 0 &&
	       memmem(end, (size_t)length, strerror(ENOSPC), strlen(strerror(ENOSPC)));
}

/* The log of a build that failed stays. That is no reason to skip the commit if the disk is full.
 */
static int bisect_keep_log(const struct bisect_state *s, const char *commit,
			   struct bisect_step *step, struct error **err)
{
	bool full = bisect_log_names_full_disk(s, BISECT_BUILD_LOG);
	char name[32];

	snprintf(name, sizeof(name), "build-%.12s.log", commit);
	renameat(s->fd, BISECT_BUILD_LOG, s->fd, name);
	snprintf(step->why, sizeof(step->why), "the build failed, see %s/%s", s->path, name);
	return full ? error_set(err, ERR_SPACE, "the disk is full: %s", step->why) : 0;
}

/* --- the tests ------------------------------------------------------------------------------ */

struct bisect_line {
	const char **words;
	char **owned;
	size_t count;
};

static void bisect_line_clear(struct bisect_line *l)
{
	for (size_t i = 0; l->owned && i < l->count; i++)
		free(l->owned[i]);
	free(l->owned);
	free(l->words);
}

/* Takes ownership of WORD, which is NULL if memory ran out. */
static bool bisect_line_add(struct bisect_line *l, char *word)
{
	if (!word)
		return false;
	l->owned[l->count] = word;
	l->words[l->count++] = word;
	return true;
}

static bool bisect_line_add_all(struct bisect_line *l, const char *const *words)
{
	bool good = true;

	for (; good && *words; words++)
		good = bisect_line_add(l, strdup(*words));
	return good;
}

/* rootlet fstests --json … WORDS. The user may name another kernel than the one in the worktree. */
static bool bisect_line_make(const struct bisect_state *s, const char *worktree,
			     unsigned int repeats, bool until_failure, struct bisect_line *l)
{
	const json_t *words = json_object_get(s->record, "words");
	size_t most = json_array_size(words) + 16;
	const char *own[12] = { bisect_state_text(s, "program"), "fstests", "--json" };
	size_t count = 3;
	char number[16];
	bool good;

	l->words = calloc(most, sizeof(*l->words));
	l->owned = calloc(most, sizeof(*l->owned));
	if (!l->words || !l->owned)
		return false;
	if (!json_is_true(json_object_get(s->record, "own_kernel"))) {
		own[count++] = "--kernel";
		own[count++] = worktree;
	}
	snprintf(number, sizeof(number), "%u", repeats);
	if (repeats > 1) {
		own[count++] = "--repeat";
		own[count++] = number;
		own[count] = until_failure ? "--until-failure" : NULL;
	}
	good = bisect_line_add_all(l, own);
	for (size_t i = 0; good && i < json_array_size(words); i++)
		good = bisect_line_add(
			l, bisect_word(json_string_value(json_array_get(words, i)), worktree));
	return good;
}

/* What the events of a run say. */
struct bisect_events {
	json_t *tests; /* name: [failed, total] */
	json_t *result;
	struct trials worst;
	char failed[128]; /* the test with the most failures */
};

static bool bisect_is_failure(const char *status)
{
	return strcmp(status, "fail") == 0 || strcmp(status, "crash") == 0 ||
	       strcmp(status, "timeout") == 0;
}

static void bisect_count(struct bisect_events *e, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "name"));
	const char *section = json_string_value(json_object_get(event, "section"));
	const char *status = json_string_value(json_object_get(event, "status"));
	struct trials trials = { 0 };
	char key[256];
	json_t *known;

	if (!name || !status || (!bisect_is_failure(status) && strcmp(status, "pass") != 0))
		return;
	snprintf(key, sizeof(key), "%s%s%s", section ? section : "", section ? ": " : "", name);
	known = json_object_get(e->tests, key);
	trials.failed =
		(size_t)json_integer_value(json_array_get(known, 0)) + bisect_is_failure(status);
	trials.total = (size_t)json_integer_value(json_array_get(known, 1)) + 1;
	json_object_set_new(
		e->tests, key,
		json_pack("[I, I]", (json_int_t)trials.failed, (json_int_t)trials.total));
}

static void bisect_find_worst(struct bisect_events *e)
{
	const char *name;
	json_t *counts;

	json_object_foreach(e->tests, name, counts)
	{
		struct trials t = {
			(size_t)json_integer_value(json_array_get(counts, 0)),
			(size_t)json_integer_value(json_array_get(counts, 1)),
		};

		if (e->worst.total && t.failed * e->worst.total <= e->worst.failed * t.total)
			continue;
		e->worst = t;
		snprintf(e->failed, sizeof(e->failed), "%s", name);
	}
	text_clean(e->failed);
}

static int bisect_events_read(const struct bisect_state *s, struct bisect_events *e,
			      struct error **err)
{
	_cleanup_free_ char *text = tree_read(s->fd, BISECT_EVENTS, EVENTS_MOST, NULL, err);
	char *rest = text, *line;

	e->tests = json_object();
	if (!text || !e->tests)
		return text ? error_no_memory(err) : -1;
	while ((line = strsep(&rest, "\n"))) {
		json_t *event = *line ? json_loads(line, 0, NULL) : NULL;
		const char *kind = json_string_value(json_object_get(event, "event"));

		if (kind && strcmp(kind, "test") == 0)
			bisect_count(e, event);
		if (kind && strcmp(kind, "result") == 0) {
			json_decref(e->result);
			e->result = json_incref(event);
		}
		json_decref(event);
	}
	bisect_find_worst(e);
	return 0;
}

static void bisect_events_clear(struct bisect_events *e)
{
	json_decref(e->tests);
	json_decref(e->result);
}

/* What the user wants for a crash or a hang: "bad" or "skip". */
static enum bisect_verdict bisect_wish(const struct bisect_state *s, const char *key)
{
	const char *wish = bisect_state_text(s, key);

	return wish && strcmp(wish, "bad") == 0 ? BISECT_BAD : BISECT_SKIP;
}

/* Why the tests could not be run: the last line that rootlet fstests printed. */
static void bisect_reason(const struct bisect_state *s, char reason[static REASON_SIZE])
{
	_cleanup_error_ struct error *missing = NULL;
	_cleanup_free_ char *text = tree_read(s->fd, BISECT_ERRORS, EVENTS_MOST, NULL, &missing);
	char *rest = text, *line;

	snprintf(reason, REASON_SIZE, "the tests could not be run");
	while (rest && (line = strsep(&rest, "\n")))
		if (text_has_prefix(line, "rootlet fstests: "))
			snprintf(reason, REASON_SIZE, "%s", text_clean(line));
}

/* Returns 0, or -1 with ERR set if no kernel can be tested like this. */
static int bisect_judge(const struct bisect_state *s, const struct bisect_events *e, int status,
			struct bisect_step *step, struct error **err)
{
	char reason[REASON_SIZE];

	step->trials = e->worst;
	step->crashed = status == FSTESTS_CRASHED || status == FSTESTS_TIMED_OUT;
	switch (status) {
	case FSTESTS_PASSED:
		step->verdict = e->worst.total ? BISECT_GOOD : BISECT_SKIP;
		snprintf(step->why, sizeof(step->why), "%s",
			 e->worst.total ? "" : "no test ran: each was left out or lacks something");
		return 0;
	case FSTESTS_FAILED:
		/* Without a failure, the run ended before some tests. */
		step->verdict = e->worst.failed ? BISECT_BAD : BISECT_SKIP;
		snprintf(step->why, sizeof(step->why), "%s%s",
			 e->worst.failed ? e->failed : "not all tests were reached",
			 e->worst.failed ? " failed" : "");
		return 0;
	case FSTESTS_CRASHED:
		step->verdict = bisect_wish(s, "crash");
		snprintf(step->why, sizeof(step->why), "the kernel crashed");
		return 0;
	case FSTESTS_TIMED_OUT:
		step->verdict = bisect_wish(s, "hang");
		snprintf(step->why, sizeof(step->why), "a test did not end");
		return 0;
	case FSTESTS_NOT_RUN:
		step->verdict = BISECT_SKIP;
		bisect_reason(s, step->why);
		return bisect_log_names_full_disk(s, BISECT_ERRORS)
			       ? error_set(err, ERR_SPACE, "%s", step->why)
			       : 0;
	case FSTESTS_INTERRUPTED:
		return error_set(err, ERR_INTERRUPTED, "interrupted");
	default:
		bisect_reason(s, reason);
		return error_set(err, ERR_INPUT, "%s", reason);
	}
}

/* RUN becomes the id of the run, in the list of runs. */
static int bisect_test(const struct bisect_state *s, const char *worktree, unsigned int repeats,
		       bool until_failure, struct bisect_step *step, json_t **run,
		       struct error **err)
{
	_cleanup_(bisect_line_clear) struct bisect_line line = { 0 };
	_cleanup_(bisect_events_clear) struct bisect_events events = { 0 };
	_cleanup_close_ int log = bisect_log_open(s, BISECT_EVENTS, err);
	_cleanup_close_ int errors = bisect_log_open(s, BISECT_ERRORS, err);
	pid_t pid;
	int status;

	if (log < 0 || errors < 0)
		return -1;
	if (!bisect_line_make(s, worktree, repeats, until_failure, &line))
		return error_no_memory(err);
	if (child_start(line.words, (int[]){ -1, log, errors }, &pid, err) < 0)
		return -1;
	status = child_wait(pid, err);
	if (status < 0 || bisect_events_read(s, &events, err) < 0)
		return -1;
	*run = json_incref(json_object_get(events.result, "run"));
	return bisect_judge(s, &events, status, step, err);
}

/* --- a step --------------------------------------------------------------------------------- */

/* TITLE: "step 3 of about 7: 0123456789ab subject". */
static void bisect_step_begin(const struct bisect_state *s, const char *title,
			      enum progress_mode mode)
{
	json_int_t total = json_integer_value(json_object_get(s->record, "steps")) + ENDS, done;
	json_t *steps;

	if (mode == PROGRESS_AUTO)
		style_print(stderr, STYLE_HEADING, "%s\n", title);
	if (mode != PROGRESS_JSON)
		return;
	steps = bisect_state_steps(s, NULL);
	done = (json_int_t)json_array_size(steps);
	event_print("progress",
		    json_pack("{s:s, s:I, s:I, s:o}", "stage", "Testing kernels", "done", done,
			      "total", total > done ? total : done + 1, "name", json_text(title)));
	json_decref(steps);
}

static void bisect_step_end(const struct bisect_step *step, const char *title, int64_t seconds,
			    enum progress_mode mode)
{
	static const enum style styles[] = { STYLE_GOOD, STYLE_BAD, STYLE_WARNING };
	const char *verdict = bisect_verdict_name(step->verdict);
	char duration[TEXT_DURATION_LEN], counts[COUNTS_SIZE] = "";
	_cleanup_free_ char *result = NULL;

	if (step->trials.total > 1)
		snprintf(counts, sizeof(counts), ", %zu of %zu failed", step->trials.failed,
			 step->trials.total);
	text_duration((uint64_t)seconds, duration);
	if (mode == PROGRESS_AUTO) {
		style_print(stderr, styles[step->verdict], "  %s", verdict);
		fprintf(stderr, "%s%s%s (%s)\n", counts, *step->why ? ": " : "", step->why,
			duration);
	}
	if (mode == PROGRESS_JSON && asprintf(&result, "%s: %s%s%s%s (%s)", title, verdict, counts,
					      *step->why ? ": " : "", step->why, duration) >= 0)
		event_print("log", json_pack("{s:o}", "line", json_text(result)));
}

static int bisect_step_record(const struct bisect_state *s, const char *commit, const char *subject,
			      const struct bisect_step *step, int64_t seconds, json_t *run,
			      struct error **err)
{
	json_t *line = json_pack("{s:s, s:o, s:s, s:o, s:I, s:I, s:I}", "commit", commit, "subject",
				 json_text(subject), "verdict", bisect_verdict_name(step->verdict),
				 "why", json_text(*step->why ? step->why : NULL), "failed",
				 (json_int_t)step->trials.failed, "tried",
				 (json_int_t)step->trials.total, "seconds", (json_int_t)seconds);
	int result;

	if (!line)
		return error_no_memory(err);
	if (run)
		json_object_set(line, "run", run);
	result = bisect_state_add_step(s, line, err);
	json_decref(line);
	return result;
}

int bisect_step_run(const struct bisect_state *s, const char *label, unsigned int repeats,
		    bool until_failure, enum progress_mode mode, struct bisect_step *step,
		    struct error **err)
{
	_cleanup_free_ char *worktree = bisect_state_path(s, BISECT_WORKTREE);
	_cleanup_free_ char *commit = worktree ? git_commit(worktree, "HEAD", err) : NULL;
	_cleanup_free_ char *subject = commit ? git_subject(worktree, commit, err) : NULL;
	_cleanup_free_ char *title = NULL;
	int64_t began = clock_seconds();
	json_t *run = NULL;
	int status, result = 0;

	*step = (struct bisect_step){ .verdict = BISECT_SKIP };
	if (!subject)
		return worktree ? -1 : error_no_memory(err);
	if (asprintf(&title, "%s: %.12s %s", label, commit, subject) < 0) {
		title = NULL;
		return error_no_memory(err);
	}
	bisect_step_begin(s, title, mode);
	status = bisect_build(s, worktree, err);
	if (status < 0)
		return -1;
	if (status > 0)
		result = bisect_keep_log(s, commit, step, err);
	else
		result = bisect_test(s, worktree, repeats, until_failure, step, &run, err);
	if (result == 0) {
		bisect_step_end(step, title, clock_seconds() - began, mode);
		result = bisect_step_record(s, commit, subject, step, clock_seconds() - began, run,
					    err);
	}
	json_decref(run);
	return result;
}
