#include "frontend/rootfs/opened_rootfs.h"

#include "frontend/rootfs/store.h"

int opened_rootfs_open(const char *purpose, const char *name, const char *path,
		       struct opened_rootfs *r, struct error **err)
{
	if (store_find(name, path, &r->directory, &r->path, err) < 0 ||
	    helper_start(purpose, NULL, &r->helper, err) < 0 ||
	    store_open(r->helper, r->directory, r->path, &r->tree, NULL, err) < 0)
		return -1;
	return manifest_read(r->helper, r->tree, &r->manifest, err);
}

void opened_rootfs_clear(struct opened_rootfs *r)
{
	helper_stop(&r->helper);
	closep(&r->directory);
	closep(&r->tree);
	free(r->path);
	manifest_free(&r->manifest);
	*r = NOT_OPENED;
}
