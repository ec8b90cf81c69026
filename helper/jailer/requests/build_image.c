/* Builds a filesystem image of a rootfs. The host's mkfs runs in the tool jail, where it sees the
 * tree as the guest will (with the rootfs's own ids) and cannot change it. */
#include "helper/jailer/jail_run.h"

#include <string.h>
#include <unistd.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/beneath.h"

/* Exit statuses of a jail whose program is missing, or is not a program. */
#define NOT_FOUND 127
#define NOT_STARTED 126

/* For mke2fs: room for the content, an inode for each file (it makes one of 256 bytes per 4096
 * bytes) and its share of a directory block, and some reserve. Unused space is a hole. */
static int set_size(const struct server *s, int tree, int image, uint64_t *files,
		    struct error **err)
{
	struct tree_census census;
	uint64_t size;

	if (tree_count(s, tree, &census, err) < 0)
		return -1;
	*files = census.files;
	size = census.content + census.content / 5 + census.files * 4096 + (UINT64_C(32) << 20);
	if (ftruncate(image, (off_t)size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make an image of %llu bytes",
				   (unsigned long long)size);
	return 0;
}

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
	    set_size(s, request->fds[0], request->fds[1], &spec.files, err) < 0)
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
