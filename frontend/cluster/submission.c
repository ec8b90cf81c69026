#include "frontend/cluster/submission.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/child.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/cluster/array_jobs.h"
#include "frontend/cluster/batches.h"
#include "frontend/cluster/claims.h"
#include "frontend/cluster/gathering.h"
#include "frontend/cluster/lease.h"
#include "frontend/cluster/losses.h"
#include "frontend/fstests/display.h"
#include "frontend/fstests/run_excludes.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define POLL_MS 1000
#define STATUS_MOST 16
#define PLANNED "planned" /* in the job: whether the command line names every test */
#define NODE_LOSSES 2	  /* then no more tasks run there, if there are other nodes */

/* A task whose results are shown while it runs. */
struct watched_task {
	char name[CLAIM_TASK_SIZE];
	size_t shown;
	off_t size;		    /* of its results when they were last read */
	unsigned int lost;	    /* in which step that was noticed; 0: it was not */
	char node[SLURM_NODE_SIZE]; /* if it is lost and the node is known */
};

struct submission {
	struct fstests_run *run;
	const struct cluster_request *request;
	struct shared_run shared;
	struct lease lease;
	struct array_jobs jobs;
	struct watched_task *tasks;
	size_t task_count;
	size_t done;   /* batches */
	size_t losses; /* how often a batch was lost */
	unsigned int steps;
	bool over;
};

static void submission_clear(struct submission *s)
{
	if (s->shared.fd >= 0)
		lease_drop(s->shared.fd, &s->lease);
	shared_run_close(&s->shared);
	array_jobs_clear(&s->jobs);
	free(s->tasks);
}

/* --- the start ------------------------------------------------------------------------------ */

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* Stores the size of each task's guests and the options of the cluster. */
static int submission_describe(json_t *job, const struct cluster_request *r, struct error **err)
{
	json_t *options = json_array();

	for (size_t i = 0; r->options[i]; i++)
		json_array_append_new(options, json_string(r->options[i]));
	if (json_object_set_new(job, "guests",
				json_pack("{s:o, s:o, s:o, s:o}", "jobs", text_or_null(r->jobs),
					  "cpus", text_or_null(r->cpus), "memory",
					  text_or_null(r->memory), "usual_memory",
					  text_or_null(r->usual_memory))) < 0 ||
	    json_object_set_new(job, "cluster",
				json_pack("{s:s, s:I, s:I, s:o}", "engine", r->engine, "tasks",
					  (json_int_t)r->tasks, "task_cpus",
					  (json_int_t)r->task_cpus, "options", options)) < 0)
		return error_no_memory(err);
	return 0;
}

int submission_prepare(struct fstests_run *run, const struct cluster_request *request,
		       struct error **err)
{
	_cleanup_(shared_run_close) struct shared_run shared = SHARED_RUN_NONE;
	_cleanup_(test_plan_clear) struct test_plan known = { 0 };
	bool planned = fstests_run_knows_plan(run, &known);
	json_t *more = json_pack("{s:b}", PLANNED, (int)planned);
	int result = more ? submission_describe(more, request, err) : error_no_memory(err);

	progress_stage(run->progress, "Copying to the shared directory");
	if (result == 0)
		result = shared_run_create(request->directory, run, planned ? NULL : BATCH_LIST,
					   more, &shared, err);
	json_decref(more);
	return result;
}

int submission_read(const char *path, struct submission_kept *kept, struct error **err)
{
	_cleanup_(shared_run_close) struct shared_run shared = SHARED_RUN_NONE;
	const json_t *cluster, *options, *guests;

	if (shared_run_open(path, &shared, err) < 0)
		return -1;
	kept->job = json_incref(shared.job);
	cluster = json_object_get(shared.job, "cluster");
	guests = json_object_get(shared.job, "guests");
	options = json_object_get(cluster, "options");
	kept->request = (struct cluster_request){
		.engine = json_string_value(json_object_get(cluster, "engine")),
		.tasks = (unsigned int)json_integer_value(json_object_get(cluster, "tasks")),
		.task_cpus =
			(unsigned int)json_integer_value(json_object_get(cluster, "task_cpus")),
		.jobs = json_string_value(json_object_get(guests, "jobs")),
	};
	for (size_t i = 0; i < json_array_size(options) && i < CLUSTER_OPTIONS_MOST; i++)
		kept->request.options[i] = json_string_value(json_array_get(options, i));
	kept->words = shared_run_words(&shared, &kept->word_count);
	if (!kept->words || !kept->request.engine || !kept->request.tasks)
		return error_set(err, ERR_INPUT, "%s/job.json is damaged", path);
	kept->tree = json_string_value(json_object_get(shared.job, "tree"));
	shared_run_options(&shared, &kept->options);
	return 0;
}

void submission_kept_clear(struct submission_kept *kept)
{
	json_decref(kept->job);
	free(kept->words);
}

/* --- tasks ---------------------------------------------------------------------------------- */

static struct watched_task *submission_task(struct submission *s, const char *name)
{
	struct watched_task *added;

	for (size_t i = 0; i < s->task_count; i++)
		if (strcmp(s->tasks[i].name, name) == 0)
			return &s->tasks[i];
	added = array_grow(&s->tasks, s->task_count, sizeof(*added));
	if (!added)
		return NULL;
	snprintf(added->name, sizeof(added->name), "%s", name);
	s->task_count++;
	return added;
}

/* --- lost tasks ----------------------------------------------------------------------------- */

/* Avoids a node that has lost its second task: it would go on to take batches as soon as they are
 * back, and lose them. */
static int submission_blame(struct submission *s, const struct watched_task *task,
			    struct error **err)
{
	unsigned int count = 0;

	for (size_t i = 0; i < s->task_count; i++)
		count += s->tasks[i].lost && strcmp(s->tasks[i].node, task->node) == 0;
	if (!*task->node || count != NODE_LOSSES)
		return 0;
	progress_note(s->run->progress, "%s has lost %u tasks: no more tasks run there", task->node,
		      count);
	return array_jobs_avoid(&s->jobs, task->node, err);
}

/* Takes back a claim of a task that has ended. A batch counts a loss only if the task had it when
 * the loss was noticed: a task on a machine that lost its connection goes on taking batches. */
static int submission_lose(struct submission *s, const struct claim *claim, struct error **err)
{
	struct watched_task *task = submission_task(s, claim->task);
	int moved;

	if (!task)
		return error_no_memory(err);
	if (!task->lost) {
		task->lost = s->steps;
		losses_explain(&s->shared, claim->task, s->run->progress, task->node);
		if (submission_blame(s, task, err) < 0)
			return -1;
	}
	if (task->lost != s->steps)
		return claims_return(s->shared.fd, claim, err) < 0 ? -1 : 0;
	moved = losses_take_back(s->shared.fd, claim, task->node, err);
	s->losses += moved > 0;
	return moved < 0 ? -1 : 0;
}

/* CLAIMS were listed before the tasks were. A task that had one then was active. */
static int submission_take_back(struct submission *s, const struct claim *claims, size_t count,
				struct error **err)
{
	for (size_t i = 0; i < count; i++) {
		if (array_jobs_have(&s->jobs, claims[i].task))
			continue;
		/* Slurm may take seconds to explain each loss. */
		if (lease_renew(s->shared.fd, &s->lease, err) < 0 ||
		    submission_lose(s, &claims[i], err) < 0)
			return -1;
	}
	return 0;
}

/* --- the plan ------------------------------------------------------------------------------- */

static int submission_publish(struct submission *s, struct error **err)
{
	char **texts = NULL;
	size_t count;
	int result = batches_cut(&s->run->plan, s->run->durations, s->run->groups,
				 s->run->options->jobs, &texts, &count, err);

	if (result == 0)
		result = claims_publish(s->shared.fd, texts, count, err);
	if (texts)
		words_free(texts);
	return result;
}

/* Reads the exit status that check -n had in the task that listed the tests. */
static int submission_read_status(const struct submission *s, const char *task, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SHARED_TASKS "/%s/" SHARED_STATUS, task);
	text = tree_read(s->shared.fd, path, STATUS_MOST, NULL, err);
	if (!text)
		return -1;
	if (strcmp(text, "0\n") == 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "cannot list the tests: see %s/" SHARED_TASKS "/%s/" RUN_LIST,
			 s->shared.path, task);
}

static int submission_add_expunged(struct submission *s, const struct test_plan *excluded,
				   struct error **err)
{
	for (size_t i = 0; i < excluded->count; i++) {
		const struct test_result result = { .section = excluded->list[i].section,
						    .name = excluded->list[i].name,
						    .status = TEST_EXPUNGED };

		if (results_add(&s->run->results, &result, err) < 0)
			return -1;
	}
	return 0;
}

/* Takes the excluded tests from the plan. */
static int submission_exclude(struct submission *s, struct error **err)
{
	_cleanup_(results_clear) struct results excluded = { 0 };

	if (run_excludes_cut(s->run, &excluded, err) < 0)
		return -1;
	for (size_t i = 0; i < excluded.count; i++)
		if (results_add(&s->run->results, &excluded.list[i], err) < 0)
			return -1;
	return 0;
}

/* Reads the plan that the task of LIST has listed. */
static int submission_read_list(struct submission *s, const struct claim *list, struct error **err)
{
	_cleanup_(test_plan_clear) struct test_plan excluded = { 0 };
	const char *task = list->task;
	char path[PATH_MAX];

	if (list->losses >= CLAIM_LOSSES_MOST)
		return error_set(err, ERR_SYSTEM,
				 "cannot list the tests: %d tasks were lost; see %s/" SHARED_TASKS,
				 CLAIM_LOSSES_MOST, s->shared.path);
	snprintf(path, sizeof(path), SHARED_TASKS "/%s/" RUN_LIST, task);
	if (submission_read_status(s, task, err) < 0 ||
	    test_plan_read(s->shared.fd, path, &s->run->plan, &excluded, err) < 0 ||
	    submission_add_expunged(s, &excluded, err) < 0 || submission_exclude(s, err) < 0)
		return -1;
	if (s->run->plan.count || s->run->excludes.count)
		return submission_publish(s, err);
	return error_set(err, ERR_INPUT, "no tests are selected: see %s/%s", s->shared.path, path);
}

/* Keeps a result also in the run's directory, for rootlet runs, until all of them are collected. */
static int submission_add_result(struct submission *s, const struct test_result *result,
				 struct error **err)
{
	json_t *object = result_to_json(result);
	int added = results_add(&s->run->results, result, err);

	if (added == 0)
		added = run_dir_append(&s->run->dir, RUN_TESTS, object, err);
	json_decref(object);
	return added;
}

/* --- watching ------------------------------------------------------------------------------- */

/* Shows results of TASK as they arrive. They become results of the run unless the task is lost. */
static int submission_show_results(struct submission *s, struct watched_task *task,
				   struct error **err)
{
	_cleanup_(results_clear) struct results results = { 0 };
	off_t size = gathering_task_size(&s->shared, task->name);

	if (size == task->size)
		return 0;
	task->size = size;
	if (gathering_read_task(&s->shared, task->name, &results, err) < 0)
		return -1;
	for (; task->shown < results.count; task->shown++) {
		const struct test_result *r = &results.list[task->shown];

		if (results_find(&s->run->results, r->section, r->name))
			continue;
		if (submission_add_result(s, r, err) < 0)
			return -1;
		display_ended(s->run, r);
	}
	return 0;
}

static int submission_find_tasks(struct submission *s, struct error **err)
{
	int fd = openat(s->shared.fd, SHARED_TASKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	size_t next = 0;
	int result = 0;

	if (!stream) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "the shared directory %s is gone",
				   s->shared.path);
	}
	while (result == 0 && (entry = readdir(stream))) {
		const struct watched_task *task;

		if (strchr(entry->d_name, '.') || strlen(entry->d_name) >= CLAIM_TASK_SIZE)
			continue;
		/* Most often, they come in the same order again. */
		if (next < s->task_count && strcmp(s->tasks[next].name, entry->d_name) == 0) {
			next++;
			continue;
		}
		task = submission_task(s, entry->d_name);
		if (task)
			next = (size_t)(task - s->tasks) + 1;
		else
			result = error_no_memory(err);
	}
	closedir(stream);
	return result;
}

static void submission_display(struct submission *s)
{
	char text[128];

	array_jobs_describe(&s->jobs, text, sizeof(text));
	if (!s->run->results.count)
		progress_status(s->run->progress, text);
	else
		display_tick(s->run, text, 0);
}

/* A descriptor works for a while after the directory was moved or unmounted. */
static int submission_check_directory(const struct submission *s, struct error **err)
{
	struct stat named, open;

	if (fstat(s->shared.fd, &open) == 0 && stat(s->shared.path, &named) == 0 &&
	    named.st_dev == open.st_dev && named.st_ino == open.st_ino)
		return 0;
	return error_set(err, ERR_SYSTEM, "the shared directory %s is gone", s->shared.path);
}

/* Looks at everything once and acts on it. Sets OVER if every batch is done. */
static int submission_step(struct submission *s, struct error **err)
{
	_cleanup_free_ struct claim *claims = NULL;
	_cleanup_free_ struct claim *queue = NULL;
	_cleanup_free_ struct claim *done = NULL;
	bool published = claims_published(s->shared.fd); /* read before the queue */
	size_t claim_count, queue_count;
	int listed;

	s->steps++;
	if (submission_check_directory(s, err) < 0 ||
	    lease_renew(s->shared.fd, &s->lease, err) < 0 || submission_find_tasks(s, err) < 0)
		return -1;
	for (size_t i = 0; i < s->task_count; i++)
		if (submission_show_results(s, &s->tasks[i], err) < 0)
			return -1;
	/* In the order in which a batch moves, so that none is missed. */
	if (claims_list(s->shared.fd, CLAIM_QUEUE, &queue, &queue_count, err) < 0 ||
	    claims_list(s->shared.fd, CLAIM_CLAIMS, &claims, &claim_count, err) < 0 ||
	    claims_list(s->shared.fd, CLAIM_DONE, &done, &s->done, err) < 0)
		return -1;
	if (!s->run->plan.count && !s->run->excludes.count && s->done &&
	    submission_read_list(s, &done[0], err) < 0)
		return -1;
	s->over = !queue_count && !claim_count && published;
	listed = s->over ? 0 : array_jobs_update(&s->jobs, err);
	if (listed <= 0)
		return listed;
	if (submission_take_back(s, claims, claim_count, err) < 0)
		return -1;
	return array_jobs_fill_up(&s->jobs, queue_count, s->done + s->losses, err);
}

static int submission_watch(struct submission *s, struct error **err)
{
	const struct fstests_options *o = s->run->options;
	struct pollfd polled = { .fd = interrupt_fd(), .events = POLLIN };

	while (!s->over) {
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
		if (o->timeout && clock_precise() - s->run->began >= o->timeout) {
			s->run->exhausted = true;
			return 0;
		}
		if (submission_step(s, err) < 0)
			return -1;
		submission_display(s);
		if (!s->over)
			poll(&polled, 1, POLL_MS);
	}
	return 0;
}

/* --- the end -------------------------------------------------------------------------------- */

/* Cancels all tasks and returns their batches to the queue. That is no loss. */
static int submission_stop(struct submission *s, struct error **err)
{
	_cleanup_free_ struct claim *claims = NULL;
	size_t count;

	if (array_jobs_cancel(&s->jobs, err) < 0 ||
	    claims_list(s->shared.fd, CLAIM_CLAIMS, &claims, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (claims_return(s->shared.fd, &claims[i], err) < 0)
			return -1;
	return 0;
}

/* The tasks' own directories become part of the run's. Guests write there: an earlier copy may hold
 * links through which cp would write, and programs must not keep their setuid bits. */
static int submission_keep_tasks(const struct submission *s, struct error **err)
{
	_cleanup_free_ char *from = NULL;
	const char *argv[] = { "cp", "-R", "--preserve=timestamps", "--", NULL, NULL, NULL };
	const int stdio[3] = { -1, -1, STDERR_FILENO };
	pid_t pid;
	int status;

	if (asprintf(&from, "%s/" SHARED_TASKS, s->shared.path) < 0)
		return error_no_memory(err);
	argv[4] = from;
	argv[5] = s->run->dir.path;
	if (dir_remove(s->run->dir.fd, SHARED_TASKS) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s/" SHARED_TASKS, argv[5]);
	if (child_start(argv, stdio, &pid, err) < 0)
		return -1;
	status = child_wait_out(pid, err);
	if (status > 0)
		return error_set(err, ERR_SYSTEM, "cannot copy %s to %s", from, argv[5]);
	return status;
}

static int submission_conclude(struct fstests_run *run, struct error **err)
{
	size_t unreached = results_count(&run->results, TEST_UNREACHED);
	enum fstests_exit status;

	if (unreached)
		snprintf(run->refusal, sizeof(run->refusal), "%zu test%s did not run", unreached,
			 unreached == 1 ? "" : "s");
	status = fstests_run_conclude(run);
	if (status == FSTESTS_NOT_RUN)
		error_set(err, ERR_INPUT, "%s", run->refusal);
	return status;
}

static int submission_open(struct submission *s, const char *path, struct error **err)
{
	struct fstests_run *run = s->run;

	if (shared_run_open(path, &s->shared, err) < 0 ||
	    lease_take(s->shared.fd, &s->lease, err) < 0)
		return -1;
	/* The tree may have changed since. */
	if (json_is_true(json_object_get(s->shared.job, PLANNED)) &&
	    test_plan_of_words(run->words, run->word_count, &run->plan) &&
	    (submission_exclude(s, err) < 0 || submission_publish(s, err) < 0))
		return -1;
	/* What an earlier process has seen is in the shared directory. */
	if (unlinkat(run->dir.fd, RUN_TESTS, 0) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", run->dir.path);
	return array_jobs_open(&s->jobs, &s->shared, s->request, run, err);
}

/* Collects the results so far, whatever ended the run. */
static int submission_collect(struct submission *s, struct error **err)
{
	struct fstests_run *run = s->run;

	/* An earlier process may have collected the kernels' reports so far. */
	if (unlinkat(run->dir.fd, RUN_KERNEL, 0) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", run->dir.path);
	if (gathering_collect(&s->shared, run, err) < 0)
		return -1;
	return results_write(run->dir.fd, RUN_TESTS, &run->results, err);
}

/* What a guest has made unreadable, and what a lost task still writes, is no reason to lose the
 * results: then the shared directory stays. */
static void submission_tidy(struct submission *s)
{
	_cleanup_error_ struct error *why = NULL;

	if (submission_keep_tasks(s, &why) == 0 && s->over)
		shared_run_remove(&s->shared, &why);
	if (why && s->over)
		progress_note(s->run->progress, "%s: the run's shared directory stays",
			      error_text(why));
	else if (why)
		progress_note_error(s->run->progress, why);
}

int submission_run(struct fstests_run *run, const struct cluster_request *request, const char *path,
		   struct error **err)
{
	_cleanup_(submission_clear) struct submission s = { .run = run,
							    .request = request,
							    .shared = SHARED_RUN_NONE };
	_cleanup_error_ struct error *later = NULL;
	int result, collected;

	run->began = clock_precise();
	if (submission_open(&s, path, err) < 0)
		return -1;
	display_begin(run);
	result = submission_watch(&s, err);
	/* Another process watches the run now: leave the tasks to it. */
	if (result < 0 && *err && (*err)->code == ERR_BUSY)
		return -1;
	if ((s.over ? array_jobs_wait(&s.jobs, &later) : submission_stop(&s, &later)) < 0)
		progress_note_error(run->progress, later);
	error_free(&later);
	collected = submission_collect(&s, result < 0 ? &later : err);
	if (!s.over || collected < 0)
		progress_note(run->progress, "to continue: rootlet fstests --resume %s",
			      run->dir.id);
	if (collected < 0)
		return -1;
	submission_tidy(&s);
	return result < 0 ? -1 : submission_conclude(run, err);
}
