#include "frontend/cluster/losses.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/names.h"
#include "lib/write_all.h"

#define DIRECTORY "losses"
#define PREFIX "%06u."
#define ALLOWED NAME_ALL "-_"

/* --- how a task ended ----------------------------------------------------------------------- */

static void losses_keep_reason(const struct shared_run *shared, const char *task,
			       const char *reason)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), SHARED_TASKS "/%s" LOSSES_REASON, task);
	fd = openat(shared->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0)
		write_all(fd, reason, strlen(reason));
}

void losses_explain(const struct shared_run *shared, const char *task, struct progress *progress,
		    char node[static SLURM_NODE_SIZE])
{
	char state[SLURM_STATE_SIZE];
	const char *reason = state;
	unsigned int job, index;

	*node = '\0';
	if (sscanf(task, "%u-%u-", &job, &index) != 2)
		return;
	slurm_explain(job, index, state, node);
	if (!*state)
		reason = "it ended";
	losses_keep_reason(shared, task, reason);
	progress_note(progress, "task %u_%u is lost (%s%s%s): other tasks run its tests", job,
		      index, reason, *node ? ", on " : "", node);
}

/* --- what counts ---------------------------------------------------------------------------- */

struct losses {
	unsigned int total, same; /* of the batch; on the same node */
};

static DIR *losses_open(int dir)
{
	int fd = openat(dir, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (!stream)
		closep(&fd);
	return stream;
}

static struct losses losses_read(int dir, unsigned int number, const char *node)
{
	struct losses found = { 0 };
	DIR *stream = losses_open(dir);
	const struct dirent *entry;
	char prefix[16];

	snprintf(prefix, sizeof(prefix), PREFIX, number);
	while (stream && (entry = readdir(stream))) {
		const char *its = entry->d_name + strlen(prefix);

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		found.total++;
		found.same +=
			node && strncmp(its, node, strlen(node)) == 0 && its[strlen(node)] == '.';
	}
	if (stream)
		closedir(stream);
	return found;
}

unsigned int losses_count(int dir, unsigned int number)
{
	return losses_read(dir, number, NULL).total;
}

static int losses_write(int dir, const struct claim *claim, const char *node, struct error **err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DIRECTORY "/" PREFIX "%s.%s", claim->number, node,
		 claim->task);
	if (mkdirat(dir, DIRECTORY, 0755) == 0 || errno == EEXIST)
		fd = openat(dir, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot write to the shared directory") : 0;
}

int losses_take_back(int dir, const struct claim *claim, const char *node, struct error **err)
{
	char name[SLURM_NODE_SIZE];
	struct losses before;

	/* If its node is unknown, a task counts as a node of its own. */
	snprintf(name, sizeof(name), "%s", *node ? node : claim->task);
	for (char *p = name; p[strspn(p, ALLOWED)];)
		p[strspn(p, ALLOWED)] = '-';
	before = losses_read(dir, claim->number, name);
	/* Recorded first: if this process ends before the batch moves, the loss still counts. */
	if (losses_write(dir, claim, name, err) < 0)
		return -1;
	if (before.total + 1 >= LOSSES_MOST)
		return claims_give_up(dir, claim, err);
	return before.same ? claims_return(dir, claim, err) : claims_lose(dir, claim, err);
}
