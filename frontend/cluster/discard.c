#include "frontend/cluster/discard.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/directory.h"
#include "frontend/cluster/array_jobs.h"
#include "frontend/cluster/lease.h"
#include "frontend/cluster/shared_run.h"
#include "lib/error_wrap.h"

/* Removes the draft of a run whose files were still being copied. */
static int discard_draft(int parent, const char *path, const char *id, struct error **err)
{
	_cleanup_free_ char *draft = NULL;
	struct stat st;

	if (asprintf(&draft, ".%s", id) < 0)
		return error_no_memory(err);
	/* A run that was copied here may be called "ssh". */
	if (!shared_run_is_hidden(draft) || fstatat(parent, draft, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return 0;
	return dir_remove(parent, draft) < 0
		       ? error_errno(err, ERR_SYSTEM, "cannot remove the draft of %s", path)
		       : 0;
}

/* No process may watch the run, and no task may write to it, while it is being removed. */
static int discard_directory(struct shared_run *shared, const struct run_dir *run,
			     struct error **err)
{
	struct lease lease;
	int result;

	if (lease_take(shared->fd, &lease, err) < 0)
		return -1;
	result = array_jobs_cancel_run(run, err);
	if (result == 0)
		result = shared_run_remove(shared, err);
	if (result < 0)
		lease_drop(shared->fd, &lease);
	return result;
}

int shared_run_discard(const char *path, const struct run_dir *run, struct error **err)
{
	_cleanup_(shared_run_close) struct shared_run shared = SHARED_RUN_NONE;
	_cleanup_free_ char *above = strdup(path);
	_cleanup_close_ int parent = -1;
	char *slash = above ? strrchr(above, '/') : NULL;

	if (!above)
		return error_no_memory(err);
	if (!slash || strcmp(slash + 1, run->id) != 0)
		return error_set(err, ERR_REFUSED, "%s is not the shared directory of run %s", path,
				 run->id);
	slash[slash == above] = '\0';
	parent = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return error_errno(err, ERR_MISSING,
				   "the shared directory %s of run %s stays: cannot open %s", path,
				   run->id, above);
	if (faccessat(parent, run->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return discard_draft(parent, path, run->id, err);
	if (shared_run_open_own(path, run->id, &shared, err) == 0 &&
	    discard_directory(&shared, run, err) == 0)
		return 0;
	if (err && *err && (*err)->code == ERR_MISSING)
		(*err)->code = ERR_SYSTEM;
	return error_wrap(err, "cannot remove the run %s and its shared directory %s", run->id,
			  path);
}
