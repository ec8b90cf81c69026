#include "frontend/cluster/slurm.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/child.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "lib/clock.h"
#include "lib/read_all.h"

#define OUTPUT_MOST (4u << 20)
#define WORDS_MOST 16 /* besides the user's */
#define CANCEL_SECONDS 60
#define CANCEL_POLL_MS 500
#define NOT_RUN 126 /* 127 if there is no such program */

/* --- their programs ------------------------------------------------------------------------- */

struct slurm_output {
	char *out; /* of both streams */
	int status;
};

static void slurm_output_clear(struct slurm_output *o)
{
	free(o->out);
}

/* The user's own filters would hide tasks, or spare them. */
static void slurm_clear_filters(void)
{
	static const char *const names[] = {
		"SQUEUE_ACCOUNT",   "SQUEUE_FORMAT",	   "SQUEUE_FORMAT2", "SQUEUE_LICENSES",
		"SQUEUE_PARTITION", "SQUEUE_QOS",	   "SQUEUE_SORT",    "SQUEUE_STATES",
		"SCANCEL_ACCOUNT",  "SCANCEL_INTERACTIVE", "SCANCEL_NAME",   "SCANCEL_PARTITION",
		"SCANCEL_QOS",	    "SCANCEL_STATE",	   "SCANCEL_USER",   "SCANCEL_WCKEY",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unsetenv(names[i]);
}

/* A signal does not end the program: after one, jobs are cancelled. */
static int slurm_run(const char *const *argv, struct slurm_output *o, struct error **err)
{
	int ends[2], stdio[3] = { -1, -1, -1 };
	size_t size;
	pid_t pid;

	*o = (struct slurm_output){ 0 };
	slurm_clear_filters();
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot run %s", argv[0]);
	stdio[1] = stdio[2] = ends[1];
	if (child_start(argv, stdio, &pid, err) < 0) {
		closep(&ends[0]);
		closep(&ends[1]);
		return -1;
	}
	closep(&ends[1]);
	o->out = read_all(ends[0], OUTPUT_MOST, &size);
	closep(&ends[0]);
	o->status = child_wait_out(pid, err);
	if (o->status < 0)
		return -1;
	if (!o->out)
		return error_set(err, ERR_SYSTEM, "cannot read what %s prints", argv[0]);
	if (o->status == NOT_RUN || o->status == NOT_RUN + 1)
		return error_set(err, ERR_MISSING,
				 "cannot run %s; if it is missing, run: apt install slurm-client",
				 argv[0]);
	return 0;
}

/* Returns the last line of the output, which has the reason. */
static const char *slurm_reason(struct slurm_output *o)
{
	char *end = o->out + strlen(o->out), *line;

	while (end > o->out && end[-1] == '\n')
		*--end = '\0';
	line = strrchr(o->out, '\n');
	line = text_clean(line ? line + 1 : o->out);
	return *line ? line : "no reason given";
}

/* Whether the controller did not answer; slurm_errno.c has the words. */
static bool slurm_is_silent(const char *out)
{
	return strstr(out, "Unable to contact slurm controller") ||
	       strstr(out, "Socket timed out") || strstr(out, "Zero Bytes were transmitted");
}

/* --- submitting ----------------------------------------------------------------------------- */

int slurm_submit(const struct slurm_job *job, struct error **err)
{
	_cleanup_(slurm_output_clear) struct slurm_output o = { 0 };
	_cleanup_free_ char *avoid = NULL;
	char name[128], log[4096], array[32], cpus[32];
	const char *first[WORDS_MOST] = { "sbatch",    "--parsable", "--no-requeue",
					  "--nodes=1", "--ntasks=1", log };
	const char *const last[] = { name, array, job->script, NULL };
	_cleanup_free_ const char **argv = NULL;
	size_t own = 6, given = 0;

	snprintf(name, sizeof(name), "--job-name=%s", job->name);
	snprintf(log, sizeof(log), "--output=%s", job->log);
	snprintf(array, sizeof(array), "--array=0-%u", job->tasks - 1);
	snprintf(cpus, sizeof(cpus), "--cpus-per-task=%u", job->cpus);
	if (job->cpus)
		first[own++] = cpus;
	if (job->avoided && asprintf(&avoid, "--exclude=%s", job->avoided) < 0)
		return error_no_memory(err);
	if (avoid)
		first[own++] = avoid;
	while (job->options[given])
		given++;
	argv = calloc(own + given + sizeof(last) / sizeof(*last), sizeof(*argv));
	if (!argv)
		return error_no_memory(err);
	/* The last of two wins: the user's, unless the tasks could not be found again. */
	memcpy(argv, first, own * sizeof(*argv));
	memcpy(argv + own, job->options, given * sizeof(*argv));
	memcpy(argv + own + given, last, sizeof(last));
	if (slurm_run(argv, &o, err) < 0)
		return -1;
	if (!o.status)
		return 0;
	return error_set(err, slurm_is_silent(o.out) ? ERR_NETWORK : ERR_REFUSED,
			 "sbatch refused the job: %s", slurm_reason(&o));
}

/* --- listing -------------------------------------------------------------------------------- */

/* "12 3 PENDING Resources": see JOB STATE CODES of squeue(1). */
static bool slurm_parse_task(const char *line, struct slurm_task *task)
{
	char state[SLURM_STATE_SIZE];

	if (sscanf(line, "%u %u %63s %63[^\n]", &task->job, &task->index, state, task->reason) < 3)
		return false;
	task->runs = strcmp(state, "PENDING") != 0 && strncmp(state, "REQUEUE", 7) != 0 &&
		     strcmp(state, "SPECIAL_EXIT") != 0;
	text_clean(task->reason);
	return true;
}

int slurm_list(const char *name, struct slurm_task **list, size_t *count, struct error **err)
{
	_cleanup_(slurm_output_clear) struct slurm_output o = { 0 };
	char names[128], user[32];
	const char *const argv[] = { "squeue", "--noheader",	       "--array", user,
				     names,    "--format=%F %K %T %r", NULL };
	char *rest = NULL;

	*list = NULL;
	*count = 0;
	snprintf(names, sizeof(names), "--name=%s", name);
	snprintf(user, sizeof(user), "--user=%u", (unsigned int)getuid());
	if (slurm_run(argv, &o, err) < 0)
		return -1;
	if (o.status)
		return error_set(err, ERR_NETWORK, "cannot list the tasks: %s", slurm_reason(&o));
	/* A task that is not listed counts as lost: no line may be misunderstood. */
	for (char *line = strtok_r(o.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct slurm_task task = { 0 }, *added;

		if (!slurm_parse_task(line, &task)) {
			free(STEAL_PTR(*list));
			*count = 0;
			return error_set(err, ERR_NETWORK, "cannot list the tasks: squeue says: %s",
					 text_clean(line));
		}
		added = array_grow(list, *count, sizeof(*added));
		if (!added) {
			free(STEAL_PTR(*list));
			return error_no_memory(err);
		}
		*added = task;
		++*count;
	}
	return 0;
}

/* --- ends ----------------------------------------------------------------------------------- */

/* Copies the value of KEY, "BatchHost=", in the output of scontrol. */
static void slurm_take_field(const char *text, const char *key, char *out, size_t size)
{
	const char *value = strstr(text, key);

	if (!value)
		return;
	value += strlen(key);
	snprintf(out, size, "%.*s", (int)strcspn(value, " \n"), value);
	text_clean(out);
}

void slurm_explain(unsigned int job, unsigned int index, char state[static SLURM_STATE_SIZE],
		   char node[static SLURM_NODE_SIZE])
{
	_cleanup_(slurm_output_clear) struct slurm_output o = { 0 };
	_cleanup_error_ struct error *ignored = NULL;
	char id[32];
	const char *const argv[] = { "scontrol", "--oneliner", "show", "job", id, NULL };

	*state = *node = '\0';
	snprintf(id, sizeof(id), "%u_%u", job, index);
	if (slurm_run(argv, &o, &ignored) < 0 || o.status)
		return;
	slurm_take_field(o.out, "JobState=", state, SLURM_STATE_SIZE);
	slurm_take_field(o.out, "BatchHost=", node, SLURM_NODE_SIZE);
}

int slurm_cancel(const char *name, struct error **err)
{
	char names[128], user[32];
	const char *const argv[] = { "scancel", "--quiet", user, names, NULL };
	int64_t deadline = clock_seconds() + CANCEL_SECONDS;

	snprintf(names, sizeof(names), "--name=%s", name);
	snprintf(user, sizeof(user), "--user=%u", (unsigned int)getuid());
	for (;;) {
		_cleanup_(slurm_output_clear) struct slurm_output o = { 0 };
		_cleanup_free_ struct slurm_task *list = NULL;
		_cleanup_error_ struct error *why = NULL;
		size_t count;
		int listed;

		if (slurm_run(argv, &o, err) < 0)
			return -1;
		listed = slurm_list(name, &list, &count, &why);
		if (listed == 0 && !count)
			return 0;
		if (clock_seconds() >= deadline)
			return error_set(err, ERR_SYSTEM,
					 "tasks may still run (%s); to end them: scancel --name=%s",
					 why ? error_text(why) : "they do not end", name);
		poll(NULL, 0, CANCEL_POLL_MS);
	}
}
