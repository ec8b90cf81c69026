#include "helper/jailer/tree_tasks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/jailer/stage.h"
#include "lib/clock.h"
#include "proto/note.h"
#include "proto/requests.h"

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

static int tree_task_look(const struct server *s, const char *job, int tree, struct note *note,
			  struct error **err)
{
	const struct jail_spec spec = {
		.worker = job,
		.set = PRIVILEGES_READER,
		.root = tree,
		.read_only = true,
	};

	return tree_task_run(s, spec, true, note, NULL, err);
}

int tree_count(const struct server *s, int tree, struct tree_census *census, struct error **err)
{
	struct note note;

	if (tree_task_look(s, "count", tree, &note, err) < 0)
		return -1;
	*census = note.tree.census;
	return 0;
}

int tree_digest(const struct server *s, int tree, struct tree_digest *digest, struct error **err)
{
	struct note note;

	if (tree_task_look(s, "digest", tree, &note, err) < 0)
		return -1;
	*digest = note.tree.digest;
	return 0;
}

int tree_clamp_times(const struct server *s, int tree, struct error **err)
{
	char job[32];
	const struct jail_spec spec = {
		.worker = job,
		.set = PRIVILEGES_REMOVER,
		.root = tree,
	};
	struct note note;

	if (!s->epoch)
		return 0;
	snprintf(job, sizeof(job), "clamp-times=%u", s->epoch);
	return tree_task_run(s, spec, true, &note, NULL, err);
}

int tree_check_mounts(const struct server *s, int tree, struct error **err)
{
	struct note note;

	return tree_task_look(s, "check-mounts", tree, &note, err);
}

int tree_remove(const struct server *s, int parent, const char *name, int tree, struct error **err)
{
	const struct jail_spec spec = {
		.worker = "empty",
		.set = PRIVILEGES_REMOVER,
		.root = tree,
	};
	struct note note;

	if (tree_task_run(s, spec, false, &note, NULL, err) < 0)
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
