/* The boots of one run. Each asks check for the remaining tests. A crashed kernel or a hung test
 * ends a boot; the tests after it run in the next one. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/fstests/check_session.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/check_output.h"
#include "frontend/fstests/check_words.h"
#include "frontend/fstests/display.h"
#include "frontend/fstests/kernel_log.h"
#include "frontend/fstests/needs.h"
#include "frontend/fstests/result_files.h"
#include "frontend/fstests/shard_run.h"
#include "lib/clock.h"
#include "lib/write_all.h"

#define SCRIPT_MOST 65536
#define LIST RUN_RESULTS "/rootlet.list"
#define SET_UP_FAILED 120
#define LAST_LINES 1024
#define FATAL_SECONDS 5 /* time for the rest of the trace, and for a panic after it */

struct check_session {
	struct fstests_run *run;
	struct check_output *output;
	struct kernel_log *log;
	int output_fd, console_fd, results_fd;
	char refusal[256]; /* why check did not run everything requested; "" if it did */

	/* state of the current boot */
	char test[128], section[128]; /* "" if none is running */
	double began;		      /* start of the test and of the boot */
	double boot_began;
	double fatal;	     /* when the kernel reported a fatal error; 0 if it did not */
	bool hung;	     /* we ended the boot: the test's time was up */
	bool exhausted;	     /* we ended the boot: the run's time was up */
	size_t ended;	     /* number of tests that ended */
	char complaint[256]; /* check's complaint about its arguments or setup; "" if none */
	char trace[INCIDENT_TRACE_MAX], why[256]; /* about the crash */
	char last[LAST_LINES + 1];		  /* the end of the output */
	size_t last_length;
	struct error *err; /* the first failure in a callback */
};

/* --- what the parsers say ------------------------------------------------------------------- */

static void read_plan(struct check_session *s)
{
	_cleanup_error_ struct error *ignored = NULL;

	if (s->run->plan.count == 0)
		test_plan_read(s->run->folder.fd, LIST, &s->run->plan, &ignored);
}

static void test_started(const char *section, const char *name, void *context)
{
	struct check_session *s = context;

	read_plan(s);
	snprintf(s->test, sizeof(s->test), "%s", name);
	snprintf(s->section, sizeof(s->section), "%s", section);
	s->began = clock_precise();
	*s->complaint = '\0';
	if (s->run->first_test <= 0)
		s->run->first_test = s->began;
	display_started(s->run, section, name);
}

static void keep_result(struct check_session *s, const struct test_result *result)
{
	json_t *object = result_to_json(result);

	if (!s->err && results_add(&s->run->results, result, &s->err) == 0)
		run_folder_append(&s->run->folder, RUN_TESTS, object, &s->err);
	json_decref(object);
	s->ended++;
	display_ended(s->run, result);
}

/* A program that does not start says nothing about the kernel: the test has no result, and the run
 * ends here. */
static bool lacks_program(struct check_session *s, const struct test_result *result)
{
	_cleanup_free_ char *line = result_files_unstartable(s->results_fd, result);

	if (line)
		error_set(&s->err, ERR_MISSING,
			  "%s: the guest cannot start a program: %s; fix: " FSTESTS_LACKS_FIX,
			  result->name, line);
	return line;
}

static void test_ended(const struct test_result *result, void *context)
{
	static struct result_text text;
	struct check_session *s = context;
	struct test_result whole = *result;

	if (s->err || lacks_program(s, result))
		return;
	result_files_add(s->results_fd, &whole, &text);
	keep_result(s, &whole);
	*s->test = '\0';
}

static void keep_refusal(struct check_session *s)
{
	if (!*s->refusal)
		snprintf(s->refusal, sizeof(s->refusal), "%s", s->complaint);
}

/* Ignores complaints about tests that only a pattern matched: a test directory also contains other
 * files. */
static void check_complained(const char *line, const char *unknown, void *context)
{
	struct check_session *s = context;
	bool asked = !unknown;

	for (size_t i = 0; unknown && i < s->run->word_count; i++)
		asked = asked || strcmp(s->run->words[i], unknown) == 0;
	if (!asked)
		return;
	if (!*s->complaint)
		snprintf(s->complaint, sizeof(s->complaint), "%s", line);
	text_clean(s->complaint);
	if (unknown)
		keep_refusal(s);
	display_complaint(s->run, line);
}

static void keep_complaint(struct check_session *s, const struct incident *incident)
{
	struct fstests_run *run = s->run;
	struct complaint *larger =
		reallocarray(run->complaints, run->complaint_count + 1, sizeof(*larger));
	struct complaint *c;
	json_t *object;

	if (!larger)
		return;
	run->complaints = larger;
	c = &larger[run->complaint_count++];
	*c = (struct complaint){ strdup(incident_name(incident->kind)), strdup(incident->test),
				 strdup(incident->line), strdup(incident->trace) };
	object = json_pack("{s:s, s:s, s:s, s:s}", "kind", c->kind, "test", c->test, "line",
			   c->line, "trace", c->trace);
	if (object && !s->err)
		run_folder_append(&run->folder, RUN_KERNEL, object, &s->err);
	json_decref(object);
	display_kernel(run, c);
}

/* The first fatal incident explains the crash; a panic only follows from it. */
static void kernel_complained(const struct incident *incident, void *context)
{
	struct check_session *s = context;
	bool fatal = incident->kind == INCIDENT_PANIC || incident->kind == INCIDENT_OOPS ||
		     strncmp(incident->line, "kernel BUG at ", 14) == 0;

	keep_complaint(s, incident);
	if (fatal && !*s->why) {
		s->fatal = clock_precise();
		snprintf(s->why, sizeof(s->why), "%s", incident->line);
		snprintf(s->trace, sizeof(s->trace), "%s", incident->trace);
	}
}

/* --- what the VM says ----------------------------------------------------------------------- */

static void check_session_keep(struct check_session *s, int fd, const char *data, size_t size)
{
	if (write_all(fd, data, size) < 0)
		error_errno(&s->err, ERR_SYSTEM, "cannot write to %s", s->run->folder.path);
}

static void keep_last(struct check_session *s, const char *data, size_t size)
{
	if (size > LAST_LINES) {
		data += size - LAST_LINES;
		size = LAST_LINES;
	}
	if (s->last_length + size > LAST_LINES) {
		size_t gone = s->last_length + size - LAST_LINES;

		memmove(s->last, s->last + gone, s->last_length - gone);
		s->last_length -= gone;
	}
	memcpy(s->last + s->last_length, data, size);
	s->last_length += size;
	s->last[s->last_length] = '\0';
}

static void check_session_take_output(int fd, const char *data, size_t size, void *context)
{
	struct check_session *s = context;

	(void)fd;
	check_session_keep(s, s->output_fd, data, size);
	keep_last(s, data, size);
	check_output_feed(s->output, data, size);
}

static void take_console(const char *data, size_t size, void *context)
{
	struct check_session *s = context;

	check_session_keep(s, s->console_fd, data, size);
	kernel_log_feed(s->log, data, size);
}

/* Ends the boot if the test's or the run's time is up, or if results cannot be saved. Also ends it
 * after an oops: the kernel goes on with resources lost, so later results would mean nothing. */
static int check_session_watch(void *context)
{
	struct check_session *s = context;
	const struct fstests_options *o = s->run->options;
	double now = clock_precise();

	display_tick(s->run, s->test, now - s->began);
	s->exhausted = o->timeout && now - s->run->began >= o->timeout;
	s->hung = *s->test && o->test_timeout && now - s->began >= o->test_timeout;
	if (s->fatal > 0 && now - s->fatal >= FATAL_SECONDS)
		return 0;
	return s->err || s->exhausted || s->hung ? 0 : 500;
}

/* --- one boot ------------------------------------------------------------------------------- */

struct guest_words {
	char *word[64 + DEVICES_MAX];
	size_t count;
};

static void words_clear(struct guest_words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->word[i]);
}

static void add_variable(struct guest_words *w, const char *name, const char *value)
{
	if (value && w->count < sizeof(w->word) / sizeof(*w->word) &&
	    asprintf(&w->word[w->count], "%s=%s", name, value) >= 0)
		w->count++;
}

/* "test scratch1 … log": the serial numbers of the disks under test. */
static char *device_names(const struct fstests_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && i < run->options->device_count; i++)
		fprintf(out, "%s%s", i ? " " : "", run->vm.disks[i].name);
	return out && fclose(out) == 0 ? text : NULL;
}

/* LIST: NULL, "1", or "only", as frontend/guest/fstests.sh has it. */
static void add_environment(struct guest_words *w, const struct fstests_run *run, const char *list)
{
	const struct fstests_options *o = run->options;
	_cleanup_free_ char *devices = device_names(run);

	add_variable(w, "ROOTLET_FSTYPE", o->fstype);
	add_variable(w, "ROOTLET_DEVICES", devices);
	add_variable(w, "ROOTLET_SCHEDULER", o->io_scheduler ? o->io_scheduler : "");
	add_variable(w, "ROOTLET_MKFS", o->mkfs ? o->mkfs : "");
	add_variable(w, "ROOTLET_SOURCE", run->source);
	add_variable(w, "ROOTLET_CONFIG", o->config ? "1" : "");
	add_variable(w, "ROOTLET_LIST", list ? list : "");
	add_variable(w, "MKFS_OPTIONS", o->mkfs_options);
	add_variable(w, "MOUNT_OPTIONS", o->mount_options);
	add_variable(w, "TEST_FS_MOUNT_OPTS", o->mount_options);
}

/* Builds: env VARIABLE=… bash -c SCRIPT rootlet-fstests ARGUMENT…, the arguments being check's. The
 * caller frees the vector but not its strings. */
static char **command_of(const struct guest_words *environment, char *script,
			 const struct batch *batch)
{
	char **argv = calloc(environment->count + batch->count + 6, sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return NULL;
	argv[n++] = (char *)(uintptr_t) "env";
	for (size_t i = 0; i < environment->count; i++)
		argv[n++] = environment->word[i];
	argv[n++] = (char *)(uintptr_t) "bash";
	argv[n++] = (char *)(uintptr_t) "-c";
	argv[n++] = script;
	argv[n++] = (char *)(uintptr_t) "rootlet-fstests";
	for (size_t i = 0; i < batch->count; i++)
		argv[n++] = batch->words[i];
	return argv;
}

static int start_parsers(struct check_session *s, struct error **err)
{
	const struct check_events events = { .started = test_started,
					     .ended = test_ended,
					     .complained = check_complained,
					     .context = s };

	s->output = check_output_new(&events);
	s->log = kernel_log_new(kernel_complained, s);
	if (!s->output || !s->log)
		return error_no_memory(err);
	*s->test = *s->why = *s->trace = *s->last = *s->complaint = '\0';
	s->hung = s->exhausted = false;
	s->fatal = 0;
	s->ended = s->last_length = 0;
	s->boot_began = clock_precise();
	return 0;
}

static void stop_parsers(struct check_session *s)
{
	check_output_free(&s->output);
	kernel_log_free(&s->log);
}

/* Discard what the first kernel printed: it is no result. */
static void check_session_boot_again(const char *why, void *context)
{
	struct check_session *s = context;

	progress_note(s->run->progress, "%s; booting once more", why);
	stop_parsers(s);
	start_parsers(s, &s->err);
}

static int check_session_boot(struct check_session *s, const struct batch *batch, const char *list,
			      struct vm_result *result, struct error **err)
{
	_cleanup_free_ char *path = paths_data("guest/fstests.sh", err);
	_cleanup_free_ char *script = path ? file_read(path, SCRIPT_MOST, NULL, err) : NULL;
	_cleanup_(words_clear) struct guest_words environment = { 0 };
	_cleanup_free_ char **argv = NULL;
	struct vm_config config = s->run->vm;
	int status;

	if (!script)
		return -1;
	add_environment(&environment, s->run, list);
	argv = command_of(&environment, script, batch);
	if (!argv)
		return error_no_memory(err);
	if (start_parsers(s, err) < 0)
		return -1;
	config.argv = argv;
	config.output = check_session_take_output;
	config.console = take_console;
	config.watch = check_session_watch;
	config.again = check_session_boot_again;
	config.context = s;
	s->run->boots++;
	status = vm_run(&config, result, err);
	kernel_log_end(s->log);
	return status;
}

/* --- what a boot came to -------------------------------------------------------------------- */

/* Records a result for the test that was running when the boot ended. */
static void blame(struct check_session *s, enum test_status status, const char *reason)
{
	const struct test_result result = {
		.section = s->section,
		.name = s->test,
		.status = status,
		.seconds = clock_precise() - s->began,
		.reason = reason,
		.detail = *s->trace ? s->trace : NULL,
	};

	keep_result(s, &result);
	*s->test = '\0';
}

/* Returns the last message of the guest script, which says why nothing ran. */
static char *find_reason(struct check_session *s)
{
	static char nothing[] = "it printed nothing";
	char *line = s->last;

	if (*s->complaint)
		return s->complaint;
	while (s->last_length && s->last[s->last_length - 1] == '\n')
		s->last[--s->last_length] = '\0';
	for (char *p = s->last; (p = strstr(p, "rootlet: ")); p += strlen("rootlet: "))
		line = p + strlen("rootlet: ");
	return *line ? text_clean(line) : nothing;
}

enum run_verdict { VERDICT_DONE, VERDICT_AGAIN, VERDICT_STOP, VERDICT_ERROR };

/* Judges a boot ended by the kernel, the VM or us. WHY is an error message, or NULL. */
static enum run_verdict judge_broken(struct check_session *s, const struct vm_result *result,
				     const char *why, struct error **err)
{
	bool running = *s->test;
	char text[128];

	if (s->exhausted) {
		if (running)
			blame(s, TEST_TIMEOUT, "the run's --timeout expired");
		return VERDICT_STOP;
	}
	if (s->hung) {
		snprintf(text, sizeof(text), "timed out after %u s (--test-timeout)",
			 s->run->options->test_timeout);
		blame(s, TEST_TIMEOUT, text);
	} else if (running) {
		s->run->crashed = true;
		blame(s, TEST_CRASH, *s->why ? s->why : why);
	} else if (s->ended == 0) {
		/* Show the console only if no test was reached; otherwise it is in the run's files.
		 */
		if (!result->started && *result->console && !s->run->options->json)
			fprintf(stderr, "the console's last lines:\n%s\n", result->console);
		error_set(err, ERR_SYSTEM, "cannot run the tests: %s",
			  *s->why && why ? s->why
			  : why		 ? why
					 : "the guest ended");
		return VERDICT_ERROR;
	} else {
		s->run->crashed = true;
	}
	return s->run->options->stop_on_crash ? VERDICT_STOP : VERDICT_AGAIN;
}

static enum run_verdict check_session_judge(struct check_session *s, int status,
					    const struct vm_result *result, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;

	check_output_end(s->output);
	read_plan(s);
	if (status < 0) {
		why = *err;
		*err = NULL;
	}
	if (s->err) {
		*err = STEAL_PTR(s->err);
		return VERDICT_ERROR;
	}
	if (why && why->code != ERR_SYSTEM) {
		*err = STEAL_PTR(why);
		return VERDICT_ERROR;
	}
	if (why || result->ended || result->timed_out)
		return judge_broken(s, result, why ? why->message : NULL, err);
	/* check also returns 0 if there was nothing to run. */
	if (s->ended == 0 && (result->status > 0 || s->run->plan.count > 0 || *s->test)) {
		error_set(err, ERR_INPUT, "cannot run the tests: %s", find_reason(s));
		return VERDICT_ERROR;
	}
	if (*s->test)
		return judge_broken(s, result, "check exited before the test ended", err);
	/* check also exits with 1 if tests failed; its complaint tells the two apart. */
	if (result->status > 0 && *s->complaint)
		keep_refusal(s);
	return VERDICT_DONE;
}

/* Records planned tests that were not reached, so that nobody counts them as passed. */
static void note_unreached(struct check_session *s)
{
	const struct test_plan *plan = &s->run->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct test_result result = { .section = plan->list[i].section,
						    .name = plan->list[i].name,
						    .status = TEST_UNREACHED };

		if (!results_find(&s->run->results, result.section, result.name))
			keep_result(s, &result);
	}
}

static int conclude(const struct check_session *s)
{
	const struct results *r = &s->run->results;

	if (s->run->crashed)
		return FSTESTS_CRASHED;
	if (s->exhausted || results_count(r, TEST_TIMEOUT))
		return FSTESTS_TIMED_OUT;
	if (*s->refusal)
		return FSTESTS_NOT_RUN;
	return results_count(r, TEST_FAIL) || results_count(r, TEST_UNREACHED) ? FSTESTS_FAILED
									       : FSTESTS_PASSED;
}

/* Boots until the plan is complete or a boot makes no progress. */
static int run_batches(struct check_session *s, struct batch *batch, struct error **err)
{
	size_t left = SIZE_MAX;

	for (;;) {
		struct vm_result result = { 0 };
		int status =
			check_session_boot(s, batch, s->run->plan.count ? NULL : "1", &result, err);
		enum run_verdict verdict = check_session_judge(s, status, &result, err);
		size_t before = left;

		stop_parsers(s);
		batch_clear(batch);
		/* Earlier results stay valid; tests that can no longer be reached are recorded as
		 * such. */
		if (verdict == VERDICT_ERROR && s->run->results.count && *err &&
		    ((*err)->code == ERR_SYSTEM || (*err)->code == ERR_INPUT)) {
			display_boot(s->run, (*err)->message);
			error_free(err);
			return 0;
		}
		if (verdict == VERDICT_ERROR)
			return -1;
		/* After a crash, other sections may be left even if this batch is complete. */
		if (verdict == VERDICT_STOP || (verdict == VERDICT_DONE && s->run->boots == 1) ||
		    (left = test_plan_left(&s->run->plan, &s->run->results)) >= before ||
		    !test_plan_next(&s->run->plan, &s->run->results, batch))
			return 0;
		if (check_words_keep(s->run->words, s->run->word_count, batch) < 0)
			return error_no_memory(err);
		display_boot(s->run, *s->why ? s->why : NULL);
	}
}

/* check.log is authoritative about which tests failed. */
static int compare_with_log(struct check_session *s, struct error **err)
{
	struct results *results = &s->run->results;
	int changed = result_files_compare(s->results_fd, results, err);

	if (changed > 0)
		display_corrected(s->run, changed);
	return changed > 0 ? results_write(s->run->folder.fd, RUN_TESTS, results, err) : changed;
}

static int open_files(struct check_session *s, struct error **err)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

	s->output_fd = openat(s->run->folder.fd, RUN_OUTPUT, flags, 0644);
	s->console_fd = openat(s->run->folder.fd, RUN_CONSOLE, flags, 0644);
	s->results_fd = openat(s->run->folder.fd, RUN_RESULTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->output_fd < 0 || s->console_fd < 0 || s->results_fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", s->run->folder.path);
	return 0;
}

/* Boots a guest that only lists the tests. */
static int list_tests(struct check_session *s, const struct batch *batch, struct error **err)
{
	struct vm_result result = { 0 };
	int status = check_session_boot(s, batch, "only", &result, err);

	if (status == 0 && s->err)
		*err = STEAL_PTR(s->err);
	else if (status == 0 && (result.ended || result.timed_out || result.status != 0))
		error_set(err, ERR_INPUT, "cannot list the tests: %s",
			  *s->why ? s->why : find_reason(s));
	else if (status == 0)
		test_plan_read(s->run->folder.fd, LIST, &s->run->plan, err);
	stop_parsers(s);
	return *err ? -1 : 0;
}

/* Cuts the list of tests down to this run's part and makes the first batch of it. */
static int take_part(struct check_session *s, struct batch *batch, struct error **err)
{
	struct fstests_run *run = s->run;

	if (run->plan.count == 0 && list_tests(s, batch, err) < 0)
		return -1;
	if (shard_run_cut(run, err) < 0)
		return -1;
	batch_clear(batch);
	if (test_plan_next(&run->plan, &run->results, batch) &&
	    check_words_keep(run->words, run->word_count, batch) < 0)
		return error_no_memory(err);
	return 0;
}

static int run_all(struct check_session *s, struct batch *batch, struct error **err)
{
	if (s->run->shard.parts && take_part(s, batch, err) < 0)
		return -1;
	/* An empty part is done. */
	return s->run->shard.parts && batch->count == 0 ? 0 : run_batches(s, batch, err);
}

int fstests_session(struct fstests_run *run, struct error **err)
{
	struct check_session s = {
		.run = run, .output_fd = -1, .console_fd = -1, .results_fd = -1
	};
	_cleanup_(batch_clear) struct batch batch = { 0 };
	int result = -1;

	/* Only check knows the sections of a configuration. */
	if (!run->options->config)
		test_plan_of_words(run->words, run->word_count, &run->plan);
	if (batch_of_words(run->words, run->word_count, &batch) < 0)
		return error_no_memory(err);
	run->began = clock_precise();
	display_begin(run);
	if (open_files(&s, err) == 0 && needs_write(run->tree, s.results_fd, err) == 0)
		result = run_all(&s, &batch, err);
	if (result == 0)
		result = compare_with_log(&s, err);
	if (run->results.count)
		note_unreached(&s);
	closep(&s.output_fd);
	closep(&s.console_fd);
	closep(&s.results_fd);
	error_free(&s.err);
	if (result < 0)
		return -1;
	result = conclude(&s);
	if (result == FSTESTS_NOT_RUN)
		error_set(err, ERR_INPUT, "check did not run everything requested: %s", s.refusal);
	return result;
}
