#include "frontend/rootfs/previous.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "frontend/client/view.h"
#include "frontend/rootfs/store.h"

/* Opens and locks the rootfs NAME in PARENT. */
static int previous_claim(struct helper *h, int parent, const char *name, int *rootfs,
			  struct error **err)
{
	if (view_open_at(h, parent, name, rootfs, err) < 0)
		return -1;
	if (flock(*rootfs, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return error_set(
		err, ERR_BUSY,
		"the rootfs %s is in use; wait for its `rootlet run` or `rootlet shell` to "
		"end",
		name);
}

int previous_exchange(struct helper *h, const char *name, const char *path, char **absolute,
		      struct error **err)
{
	_cleanup_close_ int directory = -1, parent = -1, now = -1, before = -1;
	_cleanup_free_ char *dir = NULL, *base = NULL, *previous = NULL;
	_cleanup_error_ struct error *why = NULL;

	if (store_find(name, path, &directory, absolute, err) < 0 ||
	    store_resolve(name, path, &dir, &base, err) < 0)
		return -1;
	parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the directory %s", dir);
	if (asprintf(&previous, "%s" PREVIOUS_SUFFIX, base) < 0)
		return error_no_memory(err);
	if (previous_claim(h, parent, previous, &before, &why) < 0) {
		if (why && why->code != ERR_MISSING)
			return error_set(err, why->code, "%s", error_text(why));
		return error_set(err, ERR_MISSING,
				 "there is no %s/%s to go back to: rootlet upgrade makes it", dir,
				 previous);
	}
	if (previous_claim(h, parent, base, &now, err) < 0)
		return -1;
	if (renameat2(parent, base, parent, previous, RENAME_EXCHANGE) < 0 || fsync(parent) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot exchange %s/%s and %s", dir, base,
				   previous);
	return 0;
}
