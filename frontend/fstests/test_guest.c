#include "frontend/fstests/test_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/display.h"
#include "frontend/fstests/kmemleak.h"
#include "frontend/fstests/result_files.h"
#include "frontend/vm/debugger.h"
#include "lib/clock.h"
#include "lib/write_all.h"

#define SCRIPT_MOST 65536
#define SIGNAL_MS 1000	 /* between two processes of a job that is cancelled */
#define FATAL_SECONDS 5	 /* time for the rest of the trace, and for a panic after it */
#define DUMP_SECONDS 900 /* and until the memory of a large guest is on the disk */

/* --- what the parsers say ------------------------------------------------------------------- */

static void test_started(const char *section, const char *name, void *context)
{
	struct test_guest *g = context;

	snprintf(g->test, sizeof(g->test), "%s", name);
	snprintf(g->section, sizeof(g->section), "%s", section);
	g->began = clock_precise();
	*g->complaint = '\0';
	if (g->run->first_test <= 0)
		g->run->first_test = g->began;
	display_started(g->run, g->number, section, name);
}

static void keep_result(struct test_guest *g, const struct test_result *result)
{
	struct test_result numbered = *result;

	numbered.guest = g->number;
	g->ended++;
	g->done(g, &numbered);
	*g->test = '\0';
}

/* A program that does not start says nothing about the kernel: the test has no result, and the run
 * ends here. */
static bool lacks_program(struct test_guest *g, const struct test_result *result)
{
	_cleanup_free_ char *line = result_files_unstartable(g->results_fd, result);

	if (line)
		error_set(&g->err, ERR_MISSING,
			  "%s: the guest cannot start a program: %s; fix: " FSTESTS_LACKS_FIX,
			  result->name, line);
	return line;
}

/* Takes ownership of REPORT. */
static void keep_report(struct test_guest *g, json_t *report)
{
	if (g->number)
		json_object_set_new(report, "guest", json_integer(g->number));
	kernel_traces_add(&g->run->kernel, report);
	if (!g->err)
		run_dir_append(&g->run->dir, RUN_KERNEL, report, &g->err);
	display_kernel(g->run, report);
	json_decref(report);
}

static void keep_leaks(struct test_guest *g, const struct test_result *result)
{
	_cleanup_free_ char *text = result_files_leaks(g->results_fd, result);
	json_t *reports = text ? kmemleak_reports(text, result->name) : NULL, *report;
	size_t i;

	json_array_foreach(reports, i, report) keep_report(g, json_incref(report));
	json_decref(reports);
}

static void test_ended(const struct test_result *result, void *context)
{
	static struct result_text text;
	struct test_guest *g = context;
	struct test_result whole = *result;

	if (g->err || lacks_program(g, result))
		return;
	keep_leaks(g, result);
	result_files_add(g->results_fd, &whole, &text);
	keep_result(g, &whole);
}

static void keep_refusal(struct test_guest *g, const char *reason)
{
	if (!*g->run->refusal)
		snprintf(g->run->refusal, sizeof(g->run->refusal), "%s", reason);
}

/* Ignores complaints about tests that only a pattern matched: a test directory also contains other
 * files. */
static void check_complained(const char *line, const char *unknown, void *context)
{
	struct test_guest *g = context;
	bool asked = !unknown;

	for (size_t i = 0; unknown && i < g->run->word_count; i++)
		asked = asked || strcmp(g->run->words[i], unknown) == 0;
	if (!asked)
		return;
	if (!*g->complaint)
		snprintf(g->complaint, sizeof(g->complaint), "%s", line);
	text_clean(g->complaint);
	if (unknown)
		keep_refusal(g, g->complaint);
	display_complaint(g->run, line);
}

/* The first fatal incident explains the crash; a panic only follows from it. */
static void kernel_complained(const struct incident *incident, void *context)
{
	struct test_guest *g = context;
	bool fatal = incident->kind == INCIDENT_PANIC || incident->kind == INCIDENT_OOPS ||
		     strncmp(incident->line, "kernel BUG at ", 14) == 0;

	/* fstests scans after the test, and keeps what this only counts. */
	if (incident->kind == INCIDENT_LEAK && g->run->options->kmemleak)
		return;
	keep_report(g, incident_to_json(incident));
	if (fatal && !*g->why) {
		g->fatal = clock_precise();
		snprintf(g->why, sizeof(g->why), "%s", incident->line);
		snprintf(g->trace, sizeof(g->trace), "%s", incident->trace);
	}
}

/* --- what the VM says ----------------------------------------------------------------------- */

static void test_guest_keep(struct test_guest *g, int fd, const char *data, size_t size)
{
	if (write_all(fd, data, size) < 0)
		error_errno(&g->err, ERR_SYSTEM, "cannot write to %s", g->run->dir.path);
}

static void keep_last(struct test_guest *g, const char *data, size_t size)
{
	if (size > LAST_LINES) {
		data += size - LAST_LINES;
		size = LAST_LINES;
	}
	if (g->last_length + size > LAST_LINES) {
		size_t gone = g->last_length + size - LAST_LINES;

		memmove(g->last, g->last + gone, g->last_length - gone);
		g->last_length -= gone;
	}
	memcpy(g->last + g->last_length, data, size);
	g->last_length += size;
	g->last[g->last_length] = '\0';
}

static void take_check(const char *data, size_t size, void *context)
{
	struct test_guest *g = context;

	test_guest_keep(g, g->output_fd, data, size);
	keep_last(g, data, size);
	check_output_feed(g->output, data, size);
}

static void take_question(const struct guest_question *question, void *context)
{
	struct test_guest *g = context;

	if (!g->err)
		g->asked(g, question);
}

static void test_guest_take_output(int fd, const char *data, size_t size, void *context)
{
	struct test_guest *g = context;

	(void)fd;
	/* We ended the boot: what comes until the VM is gone does not count. */
	if (g->stopped)
		return;
	orders_feed(&g->orders, data, size, take_check, take_question, g);
}

static void take_console(const char *data, size_t size, void *context)
{
	struct test_guest *g = context;

	test_guest_keep(g, g->console_fd, data, size);
	kernel_log_feed(g->log, data, size);
}

static void take_debugger(enum vm_debugger state, const char *socket, void *context)
{
	struct test_guest *g = context;

	test_guest_hold(g);
	g->held = state != VM_DEBUGGER_LEFT;
	debugger_tell(g->run->progress, g->run->vm.kernel, state, socket);
}

void test_guest_hold(struct test_guest *g)
{
	double now = clock_precise(), passed = now - g->looked;

	g->looked = now;
	if (!g->held)
		return;
	g->run->held += passed;
	g->began += passed;
	g->fatal += g->fatal > 0 ? passed : 0;
}

void test_guest_watch(struct test_guest *g)
{
	const struct fstests_options *o = g->run->options;
	double now = clock_precise();
	bool keeping = g->vm.dump && g->fatal > 0;

	g->hung = g->hung ||
		  (*g->test && o->test_timeout && !keeping && now - g->began >= o->test_timeout);
	/* After an oops, the kernel goes on with resources lost: later results would mean nothing.
	 */
	if (g->err || g->run->exhausted || g->hung || g->unfinished ||
	    (g->fatal > 0 && now - g->fatal >= (keeping ? DUMP_SECONDS : FATAL_SECONDS))) {
		guest_process_stop(&g->process);
		g->stopped = true;
	}
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

static void add_environment(struct guest_words *w, const struct test_guest *g)
{
	const struct fstests_run *run = g->run;
	const struct fstests_options *o = run->options;
	_cleanup_free_ char *devices = device_names(run);
	char part[32] = "";

	if (g->number)
		snprintf(part, sizeof(part), GUEST_PART, g->number);

	add_variable(w, "ROOTLET_FSTYPE", o->fstype);
	add_variable(w, "ROOTLET_DEVICES", devices);
	add_variable(w, "ROOTLET_SCHEDULER", o->io_scheduler ? o->io_scheduler : "");
	add_variable(w, "ROOTLET_MKFS", o->mkfs ? o->mkfs : "");
	add_variable(w, "ROOTLET_SOURCE", run->source);
	add_variable(w, "ROOTLET_CONFIG",
		     run->configurations.count ? "catalogue"
		     : o->config	       ? "user"
					       : "");
	add_variable(w, "ROOTLET_TOKEN", g->orders.token);
	add_variable(w, "ROOTLET_MORE", g->number ? "1" : "");
	add_variable(w, "ROOTLET_KMEMLEAK", o->kmemleak ? "1" : "");
	add_variable(w, "ROOTLET_GCOV", o->gcov ? "1" : "");
	add_variable(w, "ROOTLET_RESULTS", part);
	add_variable(w, "MKFS_OPTIONS", o->mkfs_options);
	add_variable(w, "MOUNT_OPTIONS", o->mount_options);
	add_variable(w, "TEST_FS_MOUNT_OPTS", o->mount_options);
	add_variable(w, "SOAK_DURATION", o->soak);
}

/* Builds: env VARIABLE=… bash -c SCRIPT rootlet-fstests. The caller frees the vector but not its
 * strings. */
static char **command_of(const struct guest_words *environment, char *script)
{
	char **argv = calloc(environment->count + 6, sizeof(*argv));
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
	return argv;
}

static int start_check_parser(struct test_guest *g, struct error **err)
{
	const struct check_events events = { .started = test_started,
					     .ended = test_ended,
					     .complained = check_complained,
					     .context = g };

	check_output_free(&g->output);
	g->output = check_output_new(&events);
	*g->test = *g->complaint = *g->last = '\0';
	g->last_length = 0;
	g->ended_before = g->ended;
	return g->output ? 0 : error_no_memory(err);
}

static void stop_parsers(struct test_guest *g)
{
	check_output_free(&g->output);
	kernel_log_free(&g->log);
}

static int start_parsers(struct test_guest *g, struct error **err)
{
	stop_parsers(g);
	g->log = kernel_log_new(kernel_complained, g);
	*g->why = *g->trace = *g->last = '\0';
	g->hung = g->stopped = g->unfinished = g->leaving = g->held = false;
	g->fatal = 0;
	g->ended = g->last_length = 0;
	return g->log ? start_check_parser(g, err) : error_no_memory(err);
}

/* Discard what the first kernel printed: it is no result. */
static void test_guest_boot_again(const char *why, void *context)
{
	struct test_guest *g = context;

	progress_note(g->run->progress, "%s; booting once more", why);
	g->run->boots++;
	start_parsers(g, &g->err);
}

int test_guest_boot(struct test_guest *g, struct error **err)
{
	_cleanup_free_ char *path = paths_data("guest/fstests.sh", err);
	_cleanup_free_ char *script = path ? file_read(path, SCRIPT_MOST, NULL, err) : NULL;
	_cleanup_(words_clear) struct guest_words environment = { 0 };
	_cleanup_free_ char **argv = NULL;
	int status;

	if (!script || start_parsers(g, err) < 0)
		return -1;
	if (orders_begin(&g->orders) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot get a random number");
	add_environment(&environment, g);
	argv = command_of(&environment, script);
	if (!argv)
		return error_no_memory(err);
	g->vm = g->run->vm;
	g->vm.argv = argv;
	g->vm.output = test_guest_take_output;
	g->vm.console = take_console;
	g->vm.again = test_guest_boot_again;
	g->vm.debugger = take_debugger;
	g->vm.context = g;
	g->run->boots++;
	status = guest_process_start(&g->vm, &g->process, err);
	g->vm.argv = NULL; /* the child has its own */
	return status;
}

void test_guest_tell(struct test_guest *g, const char *order, const struct batch *batch)
{
	_cleanup_free_ char *line = orders_compose(order, batch);

	if (!line)
		error_no_memory(&g->err);
	else if (strcmp(order, "more") == 0 || start_check_parser(g, &g->err) == 0)
		guest_process_order(&g->process, line, &g->err);
	g->leaving = strcmp(order, "end") == 0;
}

/* --- what a check came to ------------------------------------------------------------------- */

/* Records a result for the test that was running when the boot ended. */
static void blame(struct test_guest *g, enum test_status status, const char *reason)
{
	/* The time in which the kernel's memory was written is not the test's. */
	bool kept = g->vm.dump && g->fatal > 0;
	const struct test_result result = {
		.section = g->section,
		.name = g->test,
		.status = status,
		.seconds = (kept ? g->fatal : clock_precise()) - g->began,
		.reason = reason,
		.detail = *g->trace ? g->trace : NULL,
	};

	keep_result(g, &result);
}

/* Returns the last message of the guest script, which says why nothing ran. */
static char *find_reason(struct test_guest *g)
{
	static char nothing[] = "it printed nothing";
	char *line = g->last;

	if (*g->complaint)
		return g->complaint;
	while (g->last_length && g->last[g->last_length - 1] == '\n')
		g->last[--g->last_length] = '\0';
	for (char *p = g->last; (p = strstr(p, "rootlet: ")); p += strlen("rootlet: "))
		line = p + strlen("rootlet: ");
	return *line ? text_clean(line) : nothing;
}

/* check could not prepare a section: says why, unless check did. */
static void keep_section_refusal(struct test_guest *g)
{
	const char *reason = find_reason(g);

	if (!*g->complaint)
		display_complaint(g->run, reason);
	keep_refusal(g, reason);
}

void test_guest_flush(struct test_guest *g)
{
	check_output_end(g->output);
}

bool test_guest_finished(struct test_guest *g, int status)
{
	bool nothing;

	check_output_end(g->output);
	if (g->err)
		return false;
	/* check also returns 0 if there was nothing to run. */
	nothing = g->ended == g->ended_before && (status > 0 || g->run->plan.count > 0 || *g->test);
	if (nothing && !*g->test && g->run->configurations.count)
		keep_section_refusal(g); /* the next one may do better */
	else if (nothing)
		error_set(&g->err, ERR_INPUT, "cannot run the tests: %s", find_reason(g));
	else if (*g->test)
		g->unfinished = true;
	/* check also exits with 1 if tests failed; its complaint tells the two apart. */
	else if (status > 0 && *g->complaint)
		keep_refusal(g, g->complaint);
	return !g->err && !g->unfinished;
}

/* --- what a boot came to -------------------------------------------------------------------- */

/* Whether a signal ends this process, too, and came to its guest first: Slurm, systemd and CI
 * systems send it to every process of a job. */
static bool guest_was_signalled(const struct test_guest *g, const struct vm_result *result)
{
	struct pollfd polled = { .fd = interrupt_fd(), .events = POLLIN };

	if (g->stopped || result->panicked || *g->why)
		return false;
	if (!interrupt_caught())
		poll(&polled, 1, SIGNAL_MS);
	return interrupt_caught();
}

/* Judges a boot ended by the kernel, the VM or us. WHY is an error message, or NULL. */
static enum run_verdict judge_broken(struct test_guest *g, const struct vm_result *result,
				     const char *why, struct error **err)
{
	bool running = *g->test;
	char text[128];

	if (guest_was_signalled(g, result)) {
		error_set(err, ERR_INTERRUPTED, "the VM was stopped by a signal");
		return VERDICT_ERROR;
	}
	if (g->run->exhausted) {
		if (running)
			blame(g, TEST_TIMEOUT, "the run's --timeout expired");
		return VERDICT_STOP;
	}
	if (g->hung) {
		snprintf(text, sizeof(text), "timed out after %u s (--test-timeout)",
			 g->run->options->test_timeout);
		if (running)
			blame(g, TEST_TIMEOUT, text);
	} else if (running) {
		g->run->crashed = true;
		blame(g, TEST_CRASH, *g->why ? g->why : why);
	} else if (g->ended == 0) {
		g->run->crashed = g->run->crashed || result->panicked || *g->why;
		/* Show the console only if no test was reached; otherwise it is in the run's files.
		 */
		if (!result->started && *result->console && !g->run->options->json)
			fprintf(stderr, "the console's last lines:\n%s\n", result->console);
		error_set(err, ERR_SYSTEM, "cannot run the tests: %s",
			  *g->why && why ? g->why
			  : why		 ? why
					 : "the guest ended");
		return VERDICT_ERROR;
	} else {
		g->run->crashed = true;
	}
	return g->run->options->stop_on_crash ? VERDICT_STOP : VERDICT_AGAIN;
}

/* STATUS and WHY are what vm_run() returned. */
static enum run_verdict test_guest_judge(struct test_guest *g, int status,
					 const struct vm_result *result, struct error *why,
					 struct error **err)
{
	check_output_end(g->output);
	if (g->err) {
		*err = STEAL_PTR(g->err);
		return VERDICT_ERROR;
	}
	if (why && why->code != ERR_SYSTEM)
		return (enum run_verdict)(error_set(err, why->code, "%s", why->message),
					  VERDICT_ERROR);
	if (g->unfinished)
		return judge_broken(g, result, "check exited before the test ended", err);
	if (status < 0 || result->ended || result->timed_out)
		return judge_broken(g, result, why ? why->message : NULL, err);
	if (g->leaving)
		return VERDICT_DONE;
	error_set(err, ERR_INPUT, "cannot run the tests: %s", find_reason(g));
	return VERDICT_ERROR;
}

/* One is enough: they are large. */
static void keep_dump(struct test_guest *g, const struct vm_dump *dump)
{
	if (!dump->bytes && !*dump->failure)
		return;
	g->run->dump = *dump;
	g->run->vm.dump = !dump->bytes;
	if (!dump->bytes)
		progress_note(g->run->progress, "the kernel's memory was not kept: %s",
			      dump->failure);
}

bool test_guest_serve(struct test_guest *g, enum run_verdict *verdict, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	struct vm_result result;
	int status;

	if (guest_process_serve(&g->process, &g->vm, &result, &status, &why) == 0)
		return false;
	kernel_log_end(g->log);
	keep_dump(g, &result.dump);
	*verdict = test_guest_judge(g, status, &result, why, err);
	guest_process_end(&g->process);
	stop_parsers(g);
	return true;
}

/* --- its files ------------------------------------------------------------------------------ */

/* NAME is that of a run with one guest: "check.out" becomes "check-2.out". */
static int open_log(const struct test_guest *g, const char *name)
{
	size_t stem = strcspn(name, ".");
	char numbered[64];

	snprintf(numbered, sizeof(numbered), "%.*s-%u%s", (int)stem, name, g->number, name + stem);
	return openat(g->run->dir.fd, g->number ? numbered : name,
		      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

int test_guest_open(struct test_guest *g, struct error **err)
{
	int at = g->run->dir.fd;
	char part[64] = RUN_RESULTS;

	if (g->number)
		snprintf(part, sizeof(part), RUN_RESULTS "/" GUEST_PART, g->number);
	if (g->number)
		mkdirat(at, part, 0755);
	g->output_fd = open_log(g, RUN_OUTPUT);
	g->console_fd = open_log(g, RUN_CONSOLE);
	g->results_fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (g->output_fd < 0 || g->console_fd < 0 || g->results_fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", g->run->dir.path);
	return 0;
}

void test_guest_close(struct test_guest *g)
{
	guest_process_end(&g->process);
	stop_parsers(g);
	closep(&g->output_fd);
	closep(&g->console_fd);
	closep(&g->results_fd);
	error_free(&g->err);
}
