/* Builds a filesystem image of a rootfs. The host's mkfs runs in the tool jail, where it sees the
 * tree as the guest will (with the rootfs's own ids) and cannot change it. */
#include "helper/jailer/jail_run.h"

#include <string.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/beneath.h"

/* Exit statuses of a jail whose program is missing, or is not a program. */
#define NOT_FOUND 127
#define NOT_STARTED 126

int handle_build_image(struct server *s, struct request *request, struct error **err)
{
	struct output output = { 0 };
	struct jail_spec spec = {
		.kind = JAIL_TOOL,
		.root = request->fds[0],
		.read_only = true,
		.file = request->fds[1],
		.task = request->task,
		.epoch = request->task->build_image.epoch,
	};
	char tail[1024];
	int status;

	if (strcmp(request->task->build_image.format, "ext4") == 0 &&
	    tree_count(s, request->fds[0], &spec.census, err) < 0)
		return -1;
	status = jail_run(s, &spec, &output, err);
	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(request->fds[1]))
		return error_set(err, ERR_SPACE, "cannot build the root image: no space left");
	return error_set(err, status == NOT_FOUND || status == NOT_STARTED ? ERR_HOST : ERR_SYSTEM,
			 "cannot build the root image: %s (status %d)", tail, status);
}
