#include "helper/jailer/tree_tasks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/jailer/stage.h"
#include "lib/clock.h"
#include "proto/note.h"
#include "proto/requests.h"

#define EMPTY "empty" /* goes on if the front end exits */

int tree_task_run(const struct server *s, struct jail_spec spec, bool watch, struct note *note,
		  int *fd, struct error **err)
{
	struct stage stage = STAGE_NONE;
	int r;

	spec.kind = JAIL_WORK;
	if (stage_start(s, &stage, spec, err) < 0)
		return -1;
	r = stage_wait(s, &stage, watch, note, fd, err);
	stage_end(&stage);
	return r;
}

static int tree_task_do(const struct server *s, const char *job, enum privilege_set set, int tree,
			struct note *note, struct error **err)
{
	const struct jail_spec spec = {
		.worker = job,
		.set = set,
		.root = tree,
		.read_only = set == PRIVILEGES_READER,
	};

	return tree_task_run(s, spec, strcmp(job, EMPTY) != 0, note, NULL, err);
}

int tree_count(const struct server *s, int tree, struct tree_census *census, struct error **err)
{
	struct note note = { 0 };
	int r = tree_task_do(s, "count", PRIVILEGES_READER, tree, &note, err);

	*census = note.tree.census;
	return r;
}

int tree_digest(const struct server *s, int tree, struct tree_digest *digest, struct error **err)
{
	struct note note = { 0 };
	int r = tree_task_do(s, "digest", PRIVILEGES_READER, tree, &note, err);

	*digest = note.tree.digest;
	return r;
}

int tree_clamp_times(const struct server *s, int tree, struct error **err)
{
	struct note note;
	char job[32];

	snprintf(job, sizeof(job), "clamp-times=%u", s->epoch);
	return s->epoch ? tree_task_do(s, job, PRIVILEGES_REMOVER, tree, &note, err) : 0;
}

int tree_check_mounts(const struct server *s, int tree, struct error **err)
{
	struct note note;

	return tree_task_do(s, "check-mounts", PRIVILEGES_READER, tree, &note, err);
}

int tree_remove(const struct server *s, int parent, const char *name, int tree, struct error **err)
{
	struct note note;

	if (tree_task_do(s, EMPTY, PRIVILEGES_REMOVER, tree, &note, err) < 0)
		return -1;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s", name);
	return 0;
}

int tree_discard(const struct server *s, int parent, const char *name, int tree, struct error **err)
{
	struct server later = *s;

	later.limit = HOUR; /* as for Remove */
	later.deadline = clock_seconds() + HOUR;
	return tree_remove(&later, parent, name, tree, err);
}
