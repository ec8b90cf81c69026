/* Builds a filesystem image of a rootfs. The host's mkfs runs in the tool jail, where it sees the
 * tree as the guest will (with the rootfs's own ids) and cannot change it. */
#include "helper/jailer/jail_run.h"

#include <string.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/tree_tasks.h"

int handle_build_image(struct server *s, struct request *request, struct error **err)
{
	struct jail_spec spec = {
		.kind = JAIL_TOOL,
		.root = request->fds[0],
		.read_only = true,
		.file = request->fds[1],
		.task = request->task,
		.epoch = request->task->build_image.epoch,
	};

	if (strcmp(request->task->build_image.format, "ext4") == 0 &&
	    tree_count(s, request->fds[0], &spec.census, err) < 0)
		return -1;
	return jail_run_well(s, &spec, "building the root image", NULL, err);
}
