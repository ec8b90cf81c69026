#include "frontend/commands/manifest_line.h"

#include "frontend/commands/option_table.h"
#include "frontend/rootfs/store.h"

int line_open(const struct parsed_line *line, struct opened_rootfs *r, struct error **err)
{
	if (store_find(line_value(line, OPTION_NAME), line_value(line, OPTION_PATH), &r->directory,
		       &r->path, err) < 0 ||
	    helper_start(line->command->name, NULL, &r->helper, err) < 0 ||
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
