#include "helper/jailer/bounds.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "helper/jailer/rootfs.h"
#include "helper/jailer/serve.h"
#include "helper/jailer/tree_tasks.h"
#include "helper/starter/privileges.h"
#include "lib/error_wrap.h"

void bounds_set(const struct policy_rule *rule)
{
	if (!rule)
		return;
	privileges_lower(RLIMIT_FSIZE, rule->size_max);
	privileges_lower(RLIMIT_AS, rule->memory_max);
	/* Counts the processes of the jail's own user namespace, for all of its users together. */
	privileges_lower(RLIMIT_NPROC, rule->processes_max);
}

/* How many rootfs the directory holds besides NAME, including hidden ones, because the caller can
 * rename them. More than any limit if the directory cannot be read. */
static uint64_t bounds_count_rootfs(int dir, const char *name)
{
	_cleanup_(tree_close_dir) DIR *d = tree_open_dir(dir, ".");
	const struct dirent *entry;
	uint64_t count = 0;

	while (errno = 0, d && (entry = readdir(d))) {
		_cleanup_close_ int fd = -1;

		if (tree_is_dots(entry->d_name) || strcmp(entry->d_name, name) == 0)
			continue;
		fd = tree_open_beneath(dir, entry->d_name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, 0);
		count += fd >= 0 && is_rootfs(fd);
	}
	return d && !errno ? count : UINT32_MAX;
}

/* The name of the rootfs that TASK adds to its first directory, or NULL. */
static const char *added_name(const struct task *task)
{
	switch (task->operation) {
	case OP_BEGIN:
		return task->begin.name;
	case OP_CLONE:
		return task->clone.name;
	case OP_EXTEND:
		return task->extend.name;
	case OP_KEEP:
		return task->keep.name;
	default:
		return NULL;
	}
}

int bounds_claim(const struct server *s, int dir, const char *name, int *lock, struct error **err)
{
	const struct grant *g = &s->session->grant;
	struct decision d = { .allowed = true };

	if (g->rule->count_max == POLICY_NONE)
		return 0;
	/* Opened here: the descriptor that came with the request may be open in another session as
	 * well, which would then share this lock. */
	*lock = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the directory");
	if (serve_lock(s, *lock, err) < 0)
		return error_wrap(err, "cannot lock the directory of %s", name);
	policy_decide_limit(g, "max-count", g->rule->count_max, bounds_count_rootfs(dir, name) + 1,
			    &d);
	return d.allowed ? 0 : error_set(err, ERR_REFUSED, "%s refused: %s", name, d.why);
}

int bounds_decide(const struct server *s, const struct task *task, const int *fds,
		  struct decision *d, struct error **err)
{
	const struct grant *g = &s->session->grant;
	const char *name = added_name(task);
	struct tree_census census = { 0 };

	if (name && g->rule->count_max != POLICY_NONE)
		policy_decide_limit(g, "max-count", g->rule->count_max,
				    bounds_count_rootfs(fds[0], name) + 1, d);
	if (!d->allowed || g->rule->size_max == POLICY_NONE ||
	    (task->operation != OP_PUBLISH && task->operation != OP_KEEP))
		return 0;
	/* A tree that cannot be counted is refused, not taken for a small one. */
	if (tree_count(s, s->tree, &census, err) < 0)
		return -1;
	policy_decide_limit(g, "max-size", g->rule->size_max, census.bytes, d);
	return 0;
}
