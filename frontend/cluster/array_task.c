#include "frontend/cluster/array_task.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/word_list.h"
#include "frontend/cluster/batches.h"
#include "frontend/cluster/claims.h"
#include "frontend/cluster/shared_run.h"
#include "frontend/fstests/check_session.h"
#include "frontend/fstests/summary.h"
#include "frontend/vm/guest_count.h"
#include "frontend/vm/kvm.h"
#include "lib/clock.h"
#include "lib/write_all.h"

#define LOOK_MS 1000	  /* between two looks at an empty queue */
#define LIST_SECONDS 1800 /* until another task and the submitting process fill the queue */

/* A batch that this task has claimed. */
struct held_batch {
	struct claim claim;
	json_t *tests; /* NULL if the batch is to list the tests */
	bool *ended;
	size_t left;
};

struct array_task {
	struct shared_run shared;
	struct run_dir dir;
	struct shared_guest guest;
	struct guest_count count;
	struct held_batch *held;
	size_t held_count;
	int64_t next_look, patience; /* milliseconds of the monotonic clock */
	bool given_up;		     /* counts as lost: another task got one of its batches */
	struct progress *progress;
};

static void array_task_clear(struct array_task *t)
{
	for (size_t i = 0; i < t->held_count; i++) {
		json_decref(t->held[i].tests);
		free(t->held[i].ended);
	}
	free(t->held);
	fstests_run_clear(&t->guest.run);
	shared_guest_clear(&t->guest);
	run_dir_close(&t->dir);
	shared_run_close(&t->shared);
}

/* --- batches -------------------------------------------------------------------------------- */

static void array_task_forget(struct array_task *t, struct held_batch *b)
{
	json_decref(b->tests);
	free(b->ended);
	*b = t->held[--t->held_count];
}

/* Stops taking batches: another task got one that this task had. */
static enum supply_answer array_task_give_up(struct array_task *t)
{
	if (!t->given_up)
		progress_note(t->progress, "this task counts as lost and takes no more tests");
	t->given_up = true;
	return SUPPLY_OVER;
}

/* Writes the results to the file server, before the batch counts as finished. */
static int array_task_sync(const struct array_task *t, struct error **err)
{
	_cleanup_close_ int fd = openat(t->dir.fd, RUN_TESTS, O_RDONLY | O_CLOEXEC);

	if ((fd < 0 && errno != ENOENT) || (fd >= 0 && fsync(fd) < 0))
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", t->dir.path);
	return 0;
}

static int array_task_finish(struct array_task *t, struct held_batch *b, struct error **err)
{
	int finished;

	if (array_task_sync(t, err) < 0)
		return -1;
	finished = claims_finish(t->shared.fd, &b->claim, err);
	array_task_forget(t, b);
	if (finished == 0)
		array_task_give_up(t);
	return finished < 0 ? -1 : 0;
}

static int array_task_ended(const char *section, const char *name, void *context,
			    struct error **err)
{
	struct array_task *t = context;

	for (size_t b = 0; b < t->held_count; b++) {
		struct held_batch *held = &t->held[b];

		for (size_t i = 0; held->tests && i < json_array_size(held->tests); i++) {
			const struct queued_test test = batch_test(held->tests, i);

			if (held->ended[i] || strcmp(test.name, name) != 0 ||
			    strcmp(test.section, section) != 0)
				continue;
			held->ended[i] = true;
			return --held->left ? 0 : array_task_finish(t, held, err);
		}
	}
	return 0;
}

static int array_task_listed(int status, void *context, struct error **err)
{
	struct array_task *t = context;
	_cleanup_close_ int fd = -1;
	char text[16];

	if (!t->held_count)
		return 0;
	snprintf(text, sizeof(text), "%d\n", status);
	fd = openat(t->dir.fd, SHARED_STATUS, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", t->dir.path);
	return array_task_finish(t, &t->held[0], err);
}

/* Keeps a claim, and adds its tests to QUEUE. */
static enum supply_answer array_task_keep(struct array_task *t, const struct claim *claim,
					  const char *text, struct test_queue *queue,
					  struct error **err)
{
	struct held_batch *b = array_grow(&t->held, t->held_count, sizeof(*b));

	if (!b)
		return (enum supply_answer)(error_no_memory(err), SUPPLY_ERROR);
	b->claim = *claim;
	t->held_count++;
	if (strcmp(text, BATCH_LIST) == 0)
		return SUPPLY_LIST;
	b->tests = batch_parse(text, err);
	if (!b->tests)
		return SUPPLY_ERROR;
	b->left = json_array_size(b->tests);
	b->ended = calloc(b->left, sizeof(*b->ended));
	for (size_t i = 0; b->ended && i < b->left; i++) {
		const struct queued_test test = batch_test(b->tests, i);

		if (test_queue_add(queue, &test) < 0)
			free(STEAL_PTR(b->ended));
	}
	return b->ended ? SUPPLY_ADDED : (enum supply_answer)(error_no_memory(err), SUPPLY_ERROR);
}

static enum supply_answer array_task_more(struct test_queue *queue, void *context,
					  struct error **err)
{
	struct array_task *t = context;
	_cleanup_error_ struct error *why = NULL;
	_cleanup_free_ char *text = NULL;
	bool published = claims_published(t->shared.fd);
	struct claim claim;
	int taken;

	if (t->given_up)
		return SUPPLY_OVER;
	if (clock_milliseconds() < t->next_look)
		return SUPPLY_WAIT;
	taken = claims_take(t->shared.fd, t->dir.id, &claim, &text, &why);
	if (taken < 0 && why && why->code == ERR_MISSING)
		return array_task_give_up(t);
	if (taken < 0) {
		*err = STEAL_PTR(why);
		return SUPPLY_ERROR;
	}
	if (taken)
		return array_task_keep(t, &claim, text, queue, err);
	t->next_look = clock_milliseconds() + LOOK_MS;
	/* PUBLISHED was read before the queue was found empty. */
	if (published)
		return SUPPLY_OVER;
	if (clock_milliseconds() < t->patience)
		return SUPPLY_WAIT;
	error_set(err, ERR_SYSTEM, "the list of tests was not ready after %d s", LIST_SECONDS);
	return SUPPLY_ERROR;
}

/* Returns the batches that this task did not finish, for other tasks. */
static int array_task_return(struct array_task *t, struct error **err)
{
	_cleanup_error_ struct error *later = NULL;
	int result = 0;

	while (t->held_count) {
		if (claims_return(t->shared.fd, &t->held[0].claim, result < 0 ? &later : err) < 0)
			result = -1;
		array_task_forget(t, &t->held[0]);
	}
	return result;
}

/* --- the task ------------------------------------------------------------------------------- */

static int number_of_environment(const char *name, const char *fallback, unsigned long *number,
				 struct error **err)
{
	const char *text = getenv(name);
	char *end;

	if (!text)
		text = fallback;
	if (!text)
		return error_set(err, ERR_INPUT,
				 "%s is not set: this is not a task of a Slurm array", name);
	errno = 0;
	*number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || *number > UINT32_MAX)
		return error_set(err, ERR_INPUT, "%s=\"%.40s\" is not a number", name, text);
	return 0;
}

/* "JOB-INDEX-RESTARTS", because Slurm may start a task again. */
static int array_task_name(char name[static CLAIM_TASK_SIZE], struct error **err)
{
	unsigned long job, index, restarts;

	if (number_of_environment("SLURM_ARRAY_JOB_ID", NULL, &job, err) < 0 ||
	    number_of_environment("SLURM_ARRAY_TASK_ID", NULL, &index, err) < 0 ||
	    number_of_environment("SLURM_RESTART_COUNT", "0", &restarts, err) < 0)
		return -1;
	snprintf(name, CLAIM_TASK_SIZE, "%lu-%lu-%lu", job, index, restarts);
	return 0;
}

/* Reads the task's share of the machine, or all of it if Slurm names no share: see OUTPUT
 * ENVIRONMENT VARIABLES of sbatch(1). */
static int array_task_host(struct guest_host *host, struct error **err)
{
	unsigned long cpus, memory, each;

	*host = guest_host_read();
	if (number_of_environment("SLURM_CPUS_ON_NODE", "0", &cpus, err) < 0 ||
	    number_of_environment("SLURM_MEM_PER_NODE", "0", &memory, err) < 0 ||
	    number_of_environment("SLURM_MEM_PER_CPU", "0", &each, err) < 0)
		return -1;
	if (cpus && cpus < host->cpus)
		host->cpus = (unsigned int)cpus;
	/* Slurm sets one of the two. Both numbers have at most 32 bits. */
	if (!memory)
		memory = each * cpus;
	if (memory && memory < host->memory)
		host->memory = memory;
	return 0;
}

static int array_task_count_guests(struct array_task *t, struct error **err)
{
	const json_t *guests = json_object_get(t->shared.job, "guests");
	struct guest_host host;
	char why[128];

	if (array_task_host(&host, err) < 0)
		return -1;
	if (guest_count_choose(&host, json_string_value(json_object_get(guests, "jobs")),
			       json_string_value(json_object_get(guests, "cpus")),
			       json_string_value(json_object_get(guests, "memory")),
			       json_string_value(json_object_get(guests, "usual_memory")),
			       &t->count, err) < 0)
		return -1;
	t->guest.options.jobs = t->count.guests;
	t->guest.run.vm.memory = t->count.memory;
	t->guest.run.vm.cpus = t->count.cpus;
	t->guest.run.vm.kvm = kvm_runs(why, sizeof(why));
	if (!t->guest.run.vm.kvm)
		progress_note(t->progress, "no KVM (%s): the guest is emulated, and slow", why);
	return kernel_choose_boot(t->guest.kernel, t->guest.options.boot, t->guest.run.vm.kvm, err);
}

static int array_task_open(struct array_task *t, const char *path, struct error **err)
{
	char name[CLAIM_TASK_SIZE];

	if (array_task_name(name, err) < 0 || shared_run_open(path, &t->shared, err) < 0 ||
	    shared_run_add_task(&t->shared, name, &t->dir, err) < 0 ||
	    shared_run_read(&t->shared, &t->dir, &t->guest, err) < 0)
		return -1;
	return array_task_count_guests(t, err);
}

/* Writes run.json of the task, with the same keys as that of a run. */
static int array_task_record(const struct array_task *t, int status, struct error **err)
{
	json_t *record = summary_to_json(&t->guest.run, status);
	char host[65] = "";
	int result;

	gethostname(host, sizeof(host) - 1);
	json_object_set_new(record, "host", json_string(host));
	json_object_set_new(record, "boot", json_string(kernel_boot_name(t->guest.kernel)));
	json_object_set(record, "image", json_object_get(t->shared.job, "image"));
	result = run_dir_write(&t->dir, record, err);
	json_decref(record);
	return result;
}

int array_task_run(const char *path, struct progress *progress, struct error **err)
{
	_cleanup_(array_task_clear) struct array_task t = {
		.shared = SHARED_RUN_NONE,
		.dir = RUN_DIR_NONE,
		.progress = progress,
		.patience = clock_milliseconds() + LIST_SECONDS * INT64_C(1000),
	};
	const struct test_supply supply = { .more = array_task_more,
					    .listed = array_task_listed,
					    .ended = array_task_ended,
					    .context = &t };
	_cleanup_error_ struct error *later = NULL;
	int status;

	interrupt_catch();
	if (array_task_open(&t, path, err) < 0)
		return -1;
	t.guest.run.dir = t.dir;
	t.guest.run.progress = progress;
	t.guest.run.supply = &supply;
	t.guest.run.commanded = clock_precise();
	status = fstests_session(&t.guest.run, err);
	/* The task did its work even if check skipped tests. */
	if (status == FSTESTS_NOT_RUN)
		error_free(err);
	if (array_task_return(&t, status < 0 ? &later : err) < 0)
		status = -1;
	if (array_task_record(&t, status < 0 ? FSTESTS_NOT_RUN : status,
			      status < 0 ? &later : err) < 0)
		status = -1;
	return status < 0 ? -1 : 0;
}
