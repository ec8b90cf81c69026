#include "frontend/commands/manifest_line.h"

#include "frontend/commands/option_table.h"
#include "frontend/rootfs/store.h"

int line_manifest(const struct parsed_line *line, struct manifest **manifest, char **path,
		  struct error **err)
{
	_cleanup_(helper_stop) struct helper *helper = NULL;
	_cleanup_close_ int directory = -1, rootfs = -1;

	if (store_find(line_value(line, OPTION_NAME), line_value(line, OPTION_PATH), &directory,
		       path, err) < 0 ||
	    helper_start(line->command->name, NULL, &helper, err) < 0 ||
	    store_open(helper, directory, *path, &rootfs, NULL, err) < 0)
		return -1;
	return manifest_read(helper, rootfs, manifest, err);
}
