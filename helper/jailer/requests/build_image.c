/* Builds a filesystem image of a rootfs. The host's mkfs runs in the tool jail, where it sees the
 * tree as the guest will (with the rootfs's own ids) and cannot change it. */
#include "helper/jailer/jail_run.h"

#include <string.h>
#include <unistd.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/tree_tasks.h"

#define IMAGE "/proc/self/fd/3" /* how the program reopens the image */
/* Exit statuses of a jail whose program is missing, or is not a program. */
#define NOT_FOUND 127
#define NOT_STARTED 126

static const struct image_format {
	const char *name, *package;
	const char *argv[20];
	bool sized; /* the file must have its final size beforehand */
} formats[] = {
	/* Extended inodes have their own modification times, and ids of more than 16 bits. */
	{ "erofs",
	  "erofs-utils",
	  { "mkfs.erofs", "--quiet", "-Eforce-inode-extended", IMAGE, "/staging" },
	  false },
	{ "ext4",
	  "e2fsprogs",
	  { "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-i", "4096", "-d",
	    "/staging", "-E", "root_owner=0:0", IMAGE },
	  true },
	/* Not compressed: an emulated guest then reads it at no cost. */
	{ "squashfs",
	  "squashfs-tools",
	  { "mksquashfs", "/staging", IMAGE, "-noappend", "-no-progress", "-quiet", "-noI", "-noD",
	    "-noF", "-noX" },
	  false },
};

static const struct image_format *format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

/* Room for the content, an inode for each file (mke2fs makes one of 256 bytes per 4096 bytes) and
 * its share of a directory block, and some reserve for mke2fs. Unused space is a hole. */
static int set_size(const struct server *s, int tree, int image, struct error **err)
{
	struct tree_census census;
	uint64_t size;

	if (tree_count(s, tree, &census, err) < 0)
		return -1;
	size = census.content + census.content / 5 + census.files * 4096 + (UINT64_C(32) << 20);
	if (ftruncate(image, (off_t)size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make an image of %llu bytes",
				   (unsigned long long)size);
	return 0;
}

int handle_build_image(struct server *s, struct request *request, struct error **err)
{
	const struct image_format *format = format_find(request->task->build_image.format);
	struct output output = { 0 };
	struct jail_spec spec = {
		.kind = JAIL_TOOL,
		.root = request->fds[0],
		.read_only = true,
		.file = request->fds[1],
	};
	char tail[1024];
	int status;

	if (!format)
		return error_set(err, ERR_INPUT, "BuildImage refused: unknown image format \"%s\"",
				 request->task->build_image.format);
	if (format->sized && set_size(s, request->fds[0], request->fds[1], err) < 0)
		return -1;
	spec.argv = format->argv;
	status = jail_run(s, &spec, &output, err);
	if (status <= 0)
		return status;
	if (status == NOT_FOUND || status == NOT_STARTED)
		return error_set(err, ERR_HOST,
				 "cannot build the root image: %s is missing; run: "
				 "apt install %s",
				 format->argv[0], format->package);
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(request->fds[1]))
		return error_set(err, ERR_SPACE, "cannot build the root image: no space left");
	return error_set(err, ERR_SYSTEM,
			 "cannot build the root image: %s failed with status %d: %s",
			 format->argv[0], status, tail);
}
