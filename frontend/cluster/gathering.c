#include "frontend/cluster/gathering.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/cluster/batches.h"
#include "frontend/cluster/claims.h"
#include "frontend/cluster/losses.h"
#include "lib/error_wrap.h"

#define KERNEL_MOST (64u << 20)
#define REASON_MOST 256

/* One task's results, kept because a task finishes many batches. */
struct gathered_task {
	char name[CLAIM_TASK_SIZE];
	struct results results;
};

struct gathering {
	const struct shared_run *shared;
	struct gathered_task *tasks;
	size_t task_count;
	struct results found;
};

static void gathering_clear(struct gathering *g)
{
	for (size_t i = 0; i < g->task_count; i++)
		results_clear(&g->tasks[i].results);
	free(g->tasks);
	results_clear(&g->found);
}

/* Adds what distinguishes the results of a task from those of others. */
static int gathering_name_task(const struct shared_run *s, const char *task,
			       const struct results *from, struct results *to, struct error **err)
{
	for (size_t i = 0; i < from->count; i++) {
		struct test_result named = from->list[i];

		named.task = task;
		named.image = json_string_value(json_object_get(s->job, "image"));
		if (results_add(to, &named, err) < 0)
			return -1;
	}
	return 0;
}

off_t gathering_task_size(const struct shared_run *s, const char *task)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	/* NFS asks the server for a file's size when it is opened. */
	snprintf(path, sizeof(path), SHARED_TASKS "/%s/" RUN_TESTS, task);
	fd = tree_open(s->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
}

int gathering_read_task(const struct shared_run *s, const char *task, struct results *results,
			struct error **err)
{
	_cleanup_(results_clear) struct results read = { 0 };
	_cleanup_error_ struct error *why = NULL;
	char path[PATH_MAX];

	*results = (struct results){ 0 };
	snprintf(path, sizeof(path), SHARED_TASKS "/%s/" RUN_TESTS, task);
	if (results_read(s->fd, path, &read, &why) == 0)
		return gathering_name_task(s, task, &read, results, err);
	if (why->code == ERR_MISSING)
		return 0;
	*err = STEAL_PTR(why);
	return error_wrap(err, "task %s", task);
}

static const struct results *gathering_task(struct gathering *g, const char *name,
					    struct error **err)
{
	struct gathered_task *added;

	for (size_t i = 0; i < g->task_count; i++)
		if (strcmp(g->tasks[i].name, name) == 0)
			return &g->tasks[i].results;
	added = array_grow(&g->tasks, g->task_count, sizeof(*added));
	if (!added) {
		error_no_memory(err);
		return NULL;
	}
	snprintf(added->name, sizeof(added->name), "%s", name);
	g->task_count++;
	return gathering_read_task(g->shared, name, &added->results, err) < 0 ? NULL
									      : &added->results;
}

/* --- batches -------------------------------------------------------------------------------- */

static void gathering_reason(const struct shared_run *s, const struct claim *claim,
			     char out[static REASON_MOST])
{
	unsigned int count = losses_count(s->fd, claim->number);
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SHARED_TASKS "/%s" LOSSES_REASON, claim->task);
	text = tree_read_start(s->fd, path, REASON_MOST / 2, &ignored);
	if (text)
		text[strcspn(text, "\n")] = '\0';
	snprintf(out, REASON_MOST, "%u tasks were lost with this batch%s%s",
		 count ? count : CLAIM_LOSSES_MOST, text && *text ? ", the last one: " : "",
		 text ? text_clean(text) : "");
}

static int gathering_add_batch(struct gathering *g, const struct claim *claim, const json_t *batch,
			       struct error **err)
{
	const struct results *results = gathering_task(g, claim->task, err);
	bool lost = claim->losses >= CLAIM_LOSSES_MOST;
	char reason[REASON_MOST] = "";

	if (lost)
		gathering_reason(g->shared, claim, reason);
	for (size_t i = 0; results && i < json_array_size(batch); i++) {
		const struct queued_test test = batch_test(batch, i);
		const struct test_result *r = results_find(results, test.section, test.name);
		const struct test_result failed = { .section = test.section,
						    .name = test.name,
						    .status = TEST_FAIL,
						    .reason = reason };

		if (!r && !lost)
			continue;
		if (results_add(&g->found, r ? r : &failed, err) < 0)
			return -1;
	}
	return results ? 0 : -1;
}

static int gathering_add_left_out(struct gathering *g, const struct results *results,
				  struct error **err)
{
	for (size_t i = 0; i < results->count; i++)
		if ((results->list[i].status == TEST_EXPUNGED ||
		     results->list[i].status == TEST_EXCLUDED) &&
		    results_add(&g->found, &results->list[i], err) < 0)
			return -1;
	return 0;
}

static int gathering_add_batches(struct gathering *g, struct error **err)
{
	_cleanup_free_ struct claim *list = NULL;
	size_t count;

	if (claims_list(g->shared->fd, CLAIM_DONE, &list, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = claims_read(g->shared->fd, CLAIM_DONE, &list[i], err);
		json_t *batch;
		int result;

		if (!text)
			return -1;
		if (strcmp(text, BATCH_LIST) == 0)
			continue;
		batch = batch_parse(text, err);
		result = batch ? gathering_add_batch(g, &list[i], batch, err) : -1;
		json_decref(batch);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* --- kernels -------------------------------------------------------------------------------- */

/* Reports of every kernel count, including those of lost tasks. */
static int gathering_add_kernel(const struct shared_run *s, const char *task,
				struct fstests_run *run, struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SHARED_TASKS "/%s/" RUN_KERNEL, task);
	text = tree_read(s->fd, path, KERNEL_MOST, NULL, &ignored);
	for (const char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
		json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
		int result = 0;

		if (json_is_object(object)) {
			json_clean(object);
			json_object_set_new(object, "task", json_text(task));
			kernel_traces_add(&run->kernel, object);
			result = run_dir_append(&run->dir, RUN_KERNEL, object, err);
		}
		json_decref(object);
		if (result < 0)
			return -1;
	}
	return 0;
}

/* Adds how a task started the kernel, unless it never did. */
static void gathering_add_boot(const json_t *record, struct fstests_run *run)
{
	const char *boot = json_string_value(json_object_get(record, "boot"));

	if (!boot || json_integer_value(json_object_get(record, "boots")) == 0)
		return;
	if (!*run->boot)
		snprintf(run->boot, sizeof(run->boot), "%s", boot);
	else if (strcmp(run->boot, boot) != 0)
		snprintf(run->boot, sizeof(run->boot), "mixed");
}

/* Adds what only a task's run.json has: boots, and crashes between tests. */
static void gathering_add_record(const struct shared_run *s, const char *task,
				 struct fstests_run *run)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	json_t *record;

	snprintf(path, sizeof(path), SHARED_TASKS "/%s/run.json", task);
	text = tree_read(s->fd, path, KERNEL_MOST, NULL, &ignored);
	record = text ? json_loads(text, 0, NULL) : NULL;
	run->boots += (unsigned int)json_integer_value(json_object_get(record, "boots"));
	gathering_add_boot(record, run);
	if (json_integer_value(json_object_get(record, "exit_status")) == FSTESTS_CRASHED)
		run->crashed = true;
	json_decref(record);
}

static int gathering_add_kernels(const struct shared_run *s, struct fstests_run *run,
				 struct error **err)
{
	int fd = openat(s->fd, SHARED_TASKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!stream) {
		closep(&fd);
		return error_errno(err, ERR_SYSTEM, "cannot read %s/" SHARED_TASKS, s->path);
	}
	while (result == 0 && (entry = readdir(stream))) {
		/* The names of files have a suffix, those of directories do not. */
		if (strchr(entry->d_name, '.'))
			continue;
		gathering_add_record(s, entry->d_name, run);
		result = gathering_add_kernel(s, entry->d_name, run, err);
	}
	closedir(stream);
	return result;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* Takes the results in the plan's order, then those of excluded tests. */
static int gathering_order(const struct gathering *g, struct fstests_run *run, struct error **err)
{
	for (size_t i = 0; i < run->plan.count; i++) {
		const struct planned *p = &run->plan.list[i];
		const struct test_result unreached = { .section = p->section,
						       .name = p->name,
						       .status = TEST_UNREACHED };
		const struct test_result *found = results_find(&g->found, p->section, p->name);

		if (!results_find(&run->results, p->section, p->name) &&
		    results_add(&run->results, found ? found : &unreached, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < g->found.count; i++)
		if (!results_find(&run->results, g->found.list[i].section, g->found.list[i].name) &&
		    results_add(&run->results, &g->found.list[i], err) < 0)
			return -1;
	return 0;
}

int gathering_collect(const struct shared_run *s, struct fstests_run *run, struct error **err)
{
	_cleanup_(gathering_clear) struct gathering g = { .shared = s };

	/* The results that were shown while the tasks ran are collected again: not all of them
	 * count. */
	if (gathering_add_left_out(&g, &run->results, err) < 0)
		return -1;
	results_clear(&run->results);
	if (gathering_add_batches(&g, err) < 0 || gathering_order(&g, run, err) < 0)
		return -1;
	return gathering_add_kernels(s, run, err);
}
