/* Builds a filesystem image of a rootfs. The host's mkfs runs in the tool jail, where it sees the
 * tree as the guest will (with the rootfs's own ids) and cannot change it. */
#include "helper/jailer/jail_run.h"

#include <string.h>
#include <unistd.h>

#include "helper/jailer/handlers.h"
#include "helper/jailer/tree_tasks.h"
#include "lib/beneath.h"
#include "lib/hash.h"

#define IMAGE "/proc/self/fd/3" /* how the program reopens the image */
/* Exit statuses of a jail whose program is missing, or is not a program. */
#define NOT_FOUND 127
#define NOT_STARTED 126

/* The arguments of a reproducible image: its UUID, and how many files the tree has. The programs
 * take SOURCE_DATE_EPOCH as the time at which they run, and as the latest time of a file. */
static const struct image_format {
	const char *name, *program, *package, *script;
	bool sized; /* the file must have its final size beforehand */
} formats[] = {
	/* Extended inodes have their own modification times, and ids of more than 16 bits. */
	{ "erofs", "mkfs.erofs", "erofs-utils",
	  "mkfs.erofs --quiet -Eforce-inode-extended ${1:+-U $1} " IMAGE " /staging", false },
	/* Older versions of mke2fs copy the times at which a file was read and changed. */
	{ "ext4", "mke2fs", "e2fsprogs",
	  "export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH\n"
	  "mke2fs -q -F -t ext4 -O ^has_journal -m 0 -i 4096 -d /staging ${1:+-U $1} "
	  "-E root_owner=0:0${1:+,hash_seed=$1} " IMAGE "\n"
	  "[ $1 ] || exit 0\n"
	  "for i in 2 $(seq 11 $((11 + $2))); do\n"
	  "  echo sif \"<$i>\" atime @$SOURCE_DATE_EPOCH\n"
	  "  echo sif \"<$i>\" ctime @$SOURCE_DATE_EPOCH\n"
	  "done | debugfs -w -f - " IMAGE " >/dev/null 2>&1\n",
	  true },
	/* For `rootlet publish`, which makes an archive of its own from it. */
	{ "tar", "tar", "tar",
	  "tar --create --file=" IMAGE " --directory=/staging --sort=name --format=pax "
	  "--numeric-owner --xattrs --xattrs-include=\\* .",
	  false },
	/* Not compressed: an emulated guest then reads it at no cost. */
	{ "squashfs", "mksquashfs", "squashfs-tools",
	  "mksquashfs /staging " IMAGE
	  " -noappend -no-progress -quiet -noI -noD -noF -noX >/dev/null",
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

#define UUID_SIZE 37

/* Of version 8, RFC 9562: the same for every image of a rootfs. */
static int make_uuid(int tree, char uuid[static UUID_SIZE], struct error **err)
{
	_cleanup_free_ char *manifest = NULL;
	uint8_t sum[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];
	size_t size;

	manifest = tree_read_file(tree, OWN_MANIFEST, MANIFEST_MAX, &size);
	if (!manifest)
		return error_errno(err, ERR_SYSTEM, "cannot read the manifest");
	hash_of(manifest, size, sum);
	sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x80);
	sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
	sha256_to_hex(sum, hex);
	snprintf(uuid, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
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
		.epoch = request->task->build_image.epoch,
	};
	char tail[1024], uuid[UUID_SIZE] = "", count[24];
	const char *argv[] = { "sh", "-ec", NULL, "sh", uuid, count, NULL };
	uint64_t files = 0;
	int status;

	if (!format)
		return error_set(err, ERR_INPUT, "BuildImage refused: unknown image format \"%s\"",
				 request->task->build_image.format);
	if (format->sized && set_size(s, request->fds[0], request->fds[1], &files, err) < 0)
		return -1;
	if (spec.epoch && make_uuid(request->fds[0], uuid, err) < 0)
		return -1;
	snprintf(count, sizeof(count), "%llu", (unsigned long long)files);
	argv[2] = format->script;
	spec.argv = argv;
	status = jail_run(s, &spec, &output, err);
	if (status <= 0)
		return status;
	if (status == NOT_FOUND || status == NOT_STARTED)
		return error_set(err, ERR_HOST,
				 "cannot build the root image: %s is missing; run: "
				 "apt install %s",
				 format->program, format->package);
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(request->fds[1]))
		return error_set(err, ERR_SPACE, "cannot build the root image: no space left");
	return error_set(err, ERR_SYSTEM,
			 "cannot build the root image: %s failed with status %d: %s",
			 format->program, status, tail);
}
