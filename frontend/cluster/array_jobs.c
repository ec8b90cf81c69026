#include "frontend/cluster/array_jobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "lib/clock.h"
#include "lib/write_all.h"

#define POLL_MS 1000
#define LIST_MS 5000	      /* between two requests to the cluster's controller */
#define SILENCE_SECONDS 600   /* without an answer from the controller: then the run ends */
#define END_SECONDS 120	      /* for guests to power off */
#define PAUSE_MS 5000	      /* before lost tasks are replaced; doubled each time */
#define ATTEMPTS 3	      /* arrays submitted one after the other that finish no batch */
#define UNHEARD_MOST 20	      /* times in a row that sbatch may not reach it */
#define ROOM_LEAST (1u << 20) /* for a task */
#define LOG_MOST 4096
#define SCRIPT "job.sh"	  /* in the run's directory, before a task is submitted */
#define NAME "rootlet-%s" /* of the jobs of a run */

/* Writes the script that each task runs. A machine without rootlet at this path uses that of its
 * $PATH. */
static int array_jobs_write_script(struct array_jobs *j, struct error **err)
{
	_cleanup_free_ char *self = realpath("/proc/self/exe", NULL);
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;

	if (self && strchr(self, '\''))
		return error_set(err, ERR_INPUT, "%s: paths with a ' do not work on a cluster",
				 self);
	if (asprintf(&j->script, "%s/" SCRIPT, j->run->dir.path) < 0 ||
	    asprintf(&j->log, "%s/" SHARED_TASKS "/%%A-%%a.log", j->shared->path) < 0 ||
	    asprintf(&text,
		     "#!/bin/sh\n# Each task of the rootlet run %s runs this.\n"
		     "command='%s'\n[ -x \"$command\" ] || command=rootlet\n"
		     "exec \"$command\" __task '%s'\n",
		     j->run->dir.id, self ? self : "rootlet", j->shared->path) < 0)
		return error_no_memory(err);
	j->submitted = access(j->script, F_OK) == 0;
	fd = open(j->script, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", j->script);
	return 0;
}

int array_jobs_avoid(struct array_jobs *j, const char *node, struct error **err)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", j->avoided ? j->avoided : "", j->avoided ? "," : "", node) <
	    0)
		return error_no_memory(err);
	free(j->avoided);
	j->avoided = longer;
	return 0;
}

/* sbatch refuses a job for which no node is left. */
static int array_jobs_submit_somewhere(struct slurm_job *job, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;

	if (job->avoided && slurm_submit(job, &why) == 0)
		return 0;
	if (why && why->code != ERR_REFUSED) {
		*err = STEAL_PTR(why);
		return -1;
	}
	job->avoided = NULL;
	return slurm_submit(job, err);
}

static int array_jobs_submit(struct array_jobs *j, unsigned int tasks, size_t done,
			     struct error **err)
{
	struct slurm_job job = {
		.name = j->name,
		.script = j->script,
		.log = j->log,
		.avoided = j->avoided,
		.tasks = tasks,
		.cpus = j->request->task_cpus,
		.options = j->request->options,
	};
	_cleanup_error_ struct error *why = NULL;

	j->submitted = true;
	if (array_jobs_submit_somewhere(&job, &why) < 0) {
		/* squeue answered a moment ago. */
		if (why->code == ERR_NETWORK && ++j->unheard < UNHEARD_MOST)
			return 0;
		*err = STEAL_PTR(why);
		return -1;
	}
	j->unheard = 0;
	j->next_list = 0; /* the old list lacks the new tasks */
	j->attempts = done > j->done_before ? 1 : j->attempts + 1;
	j->done_before = done;
	j->next_submit = clock_milliseconds() + j->pause;
	j->pause *= 2;
	progress_stage(j->run->progress, "Waiting for the cluster");
	return 0;
}

/* The last line of a task's log, in TEXT; "" if it has no line. Returns when it was written. */
static time_t array_jobs_read_log(int tasks, const char *name, char text[static LOG_MOST])
{
	_cleanup_close_ int fd =
		openat(tasks, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st = { 0 };
	ssize_t length = 0;
	char *line;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		length = pread(fd, text, LOG_MOST - 1,
			       st.st_size < LOG_MOST ? 0 : st.st_size - LOG_MOST + 1);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length > 0 ? length : 0] = '\0';
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line));
	text_clean(text);
	return st.st_mtime;
}

/* The last line that any task printed; "" if none did. */
static void array_jobs_last_words(const struct array_jobs *j, char words[static LOG_MOST])
{
	int fd = openat(j->shared->fd, SHARED_TASKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	time_t newest = 0;

	*words = '\0';
	if (!stream)
		closep(&fd);
	while (stream && (entry = readdir(stream))) {
		char text[LOG_MOST];
		time_t written;

		if (!strstr(entry->d_name, ".log"))
			continue;
		written = array_jobs_read_log(fd, entry->d_name, text);
		if (!*text || written < newest)
			continue;
		newest = written;
		snprintf(words, LOG_MOST, "%s", text);
	}
	if (stream)
		closedir(stream);
}

static bool array_jobs_disk_is_full(const struct array_jobs *j)
{
	struct statvfs st;

	return fstatvfs(j->shared->fd, &st) == 0 && st.f_bavail * st.f_frsize < ROOM_LEAST;
}

/* Reports why no task finished a batch. */
static int array_jobs_fail(struct array_jobs *j, struct error **err)
{
	char words[LOG_MOST];

	/* Then not even their messages are there. */
	if (array_jobs_disk_is_full(j))
		return error_set(err, ERR_SPACE,
				 "the tasks end without a result: no space left in %s: make room",
				 j->shared->path);
	array_jobs_last_words(j, words);
	if (*words)
		return error_set(err, ERR_SYSTEM, "the tasks end without a result: %s", words);
	return error_set(err, ERR_SYSTEM,
			 "the tasks end before they write to %s: do all machines have this "
			 "directory, and rootlet? See: scontrol show job",
			 j->shared->path);
}

int array_jobs_fill_up(struct array_jobs *j, size_t queued, size_t done, struct error **err)
{
	size_t missing = j->request->tasks - j->active_count;
	bool hopeless = j->attempts >= ATTEMPTS && done <= j->done_before;

	if (j->active_count >= j->request->tasks)
		return 0;
	if (!j->active_count && hopeless)
		return array_jobs_fail(j, err);
	/* Other tasks may soon take the queued batches, and a machine that lost one task may lose
	 * more. */
	if (j->active_count && (!queued || hopeless || clock_milliseconds() < j->next_submit))
		return 0;
	if (j->attempts && queued && queued < missing)
		missing = queued;
	return array_jobs_submit(j, (unsigned int)missing, done, err);
}

int array_jobs_update(struct array_jobs *j, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	struct slurm_task *list;
	size_t count;

	if (clock_milliseconds() < j->next_list)
		return 0;
	j->next_list = clock_milliseconds() + LIST_MS;
	if (slurm_list(j->name, &list, &count, &why) == 0) {
		free(j->active);
		j->active = list;
		j->active_count = count;
		j->heard = clock_milliseconds();
		return 1;
	}
	if (why->code == ERR_NETWORK &&
	    clock_milliseconds() - j->heard < SILENCE_SECONDS * INT64_C(1000))
		return 0;
	*err = STEAL_PTR(why);
	return -1;
}

bool array_jobs_have(const struct array_jobs *j, const char *name)
{
	unsigned int job, index;

	if (sscanf(name, "%u-%u-", &job, &index) != 2)
		return false;
	for (size_t i = 0; i < j->active_count; i++)
		if (j->active[i].job == job && j->active[i].index == index)
			return j->active[i].runs;
	return false;
}

void array_jobs_describe(const struct array_jobs *j, char *text, size_t size)
{
	unsigned int run = 0, wait = 0;
	const char *reason = "";

	for (size_t i = 0; i < j->active_count; i++) {
		if (j->active[i].runs)
			run++;
		else if (!wait++)
			reason = j->active[i].reason;
	}
	snprintf(text, size, "%u task%s run%s", run, run == 1 ? "" : "s", run == 1 ? "s" : "");
	if (wait)
		snprintf(text + strlen(text), size - strlen(text), ", %u wait%s (%s)", wait,
			 wait == 1 ? "s" : "", reason);
}

static bool array_jobs_any_runs(const struct array_jobs *j)
{
	for (size_t i = 0; i < j->active_count; i++)
		if (j->active[i].runs)
			return true;
	return false;
}

int array_jobs_wait(struct array_jobs *j, struct error **err)
{
	int64_t deadline = clock_milliseconds() + END_SECONDS * INT64_C(1000);
	struct pollfd polled = { .fd = interrupt_fd(), .events = POLLIN };

	do {
		if (array_jobs_update(j, err) < 0)
			return -1;
		if (!j->active_count)
			return 0;
		if (!array_jobs_any_runs(j))
			break;
		poll(&polled, 1, POLL_MS);
	} while (clock_milliseconds() < deadline && !interrupt_caught());
	return slurm_cancel(j->name, err);
}

int array_jobs_cancel(const struct array_jobs *j, struct error **err)
{
	return j->submitted ? slurm_cancel(j->name, err) : 0;
}

int array_jobs_cancel_run(const struct run_dir *run, struct error **err)
{
	char name[sizeof(((struct array_jobs *)NULL)->name)];

	snprintf(name, sizeof(name), NAME, run->id);
	return faccessat(run->fd, SCRIPT, F_OK, 0) == 0 ? slurm_cancel(name, err) : 0;
}

int array_jobs_open(struct array_jobs *j, const struct shared_run *shared,
		    const struct cluster_request *request, const struct fstests_run *run,
		    struct error **err)
{
	*j = (struct array_jobs){ .shared = shared,
				  .request = request,
				  .run = run,
				  .heard = clock_milliseconds(),
				  .pause = PAUSE_MS };
	snprintf(j->name, sizeof(j->name), NAME, run->dir.id);
	return array_jobs_write_script(j, err);
}

void array_jobs_clear(struct array_jobs *j)
{
	free(j->script);
	free(j->log);
	free(j->avoided);
	free(j->active);
}
