#include "frontend/rootfs/snapshot_tree.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/cli/child.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/piece_tar.h"
#include "lib/read_all.h"
#include "lib/write_all.h"
#include "proto/tree_attribute.h"

#define TAR 3
#define REPORT 4
#define REPORT_MAX 512
#define LAST_ID 65534 /* of the range; the next one is the caller */
#define CAPABILITIES                                                                               \
	(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID |          \
	 1u << CAP_SETFCAP)

int snapshot_archive(struct helper *h, int tree, int dir, struct error **err)
{
	_cleanup_close_ int tar = openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__BuildImage message = ROOTLET__BUILD_IMAGE__INIT;

	/* The jail has another id. */
	if (tar < 0 || fchmod(tar, 0666) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a file in the cache");
	message.format = (char *)(uintptr_t) "tar";
	request.kind_case = ROOTLET__REQUEST__KIND_BUILD_IMAGE;
	request.build_image = &message;
	if (helper_call(h, &request, (int[]){ tree, tar }, 2, NULL, err) < 0)
		return -1;
	return steal_fd(&tar);
}

/* --- the process that unpacks --- */

/* Becomes the range's root in the directory NAME/rootfs, keeps two descriptors, and cannot get out:
 * the root directory is the new tree, no other one is open, and chroot(2) needs a capability that
 * it drops. In a changed root the kernel creates no user namespace either. */
static int enter_tree(int userns, int tar, int report, int dir, const char *name,
		      struct error **err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct rights[2] = { { CAPABILITIES, CAPABILITIES, 0 }, { 0 } };
	int closed, tree;

	umask(0);
	if (setns(userns, CLONE_NEWUSER) < 0 || setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 ||
	    setresuid(0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the user namespace");
	if (mkdirat(dir, name, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create %s", name);
	closed = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (closed < 0 || mkdirat(closed, VIEW_CLOSED_TREE, 0755) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the tree of %s", name);
	tree = openat(closed, VIEW_CLOSED_TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree < 0 || fchdir(tree) < 0 || chroot(".") < 0 || dup2(tar, TAR) < 0 ||
	    dup2(report, REPORT) < 0 || close_range(REPORT + 1, ~0U, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the tree of %s", name);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, rights) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot drop capabilities");
	return 0;
}

static int not_in_snapshots(const char *path, const char *what, struct error **err)
{
	return error_set(err, ERR_INPUT, "the archive has /%.200s, %s", path, what);
}

static int check_tree_entry(struct archive_entry *entry, const char *path, struct error **err)
{
	const char *attribute;
	const void *value;
	size_t size;

	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
	case AE_IFDIR:
	case AE_IFLNK:
		break;
	case 0:
		if (archive_entry_hardlink(entry))
			break;
		/* fall through */
	default:
		return not_in_snapshots(path, "a device, a pipe or a socket", err);
	}
	if (archive_entry_uid(entry) < 0 || archive_entry_uid(entry) > LAST_ID ||
	    archive_entry_gid(entry) < 0 || archive_entry_gid(entry) > LAST_ID)
		return not_in_snapshots(path, "whose owner is outside of the range", err);
	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &attribute, &value, &size) == ARCHIVE_OK)
		if (!valid_tree_attribute(attribute))
			return not_in_snapshots(path,
						"with an extended attribute that it cannot "
						"have",
						err);
	return 0;
}

static int unpack_tree_entry(struct archive *tar, struct archive *disk, struct archive_entry *entry,
			     struct error **err)
{
	const char *path = piece_tar_path(entry);
	const void *data;
	int64_t offset;
	size_t size;
	int r;

	if (!path)
		return piece_tar_malformed(tar, err);
	if (check_tree_entry(entry, path, err) < 0)
		return -1;
	r = archive_write_header(disk, entry);
	while (r == ARCHIVE_OK && archive_entry_size(entry) > 0 &&
	       (r = archive_read_data_block(tar, &data, &size, &offset)) == ARCHIVE_OK)
		r = (int)archive_write_data_block(disk, data, size, offset);
	if (r == ARCHIVE_EOF || r == ARCHIVE_OK)
		r = archive_write_finish_entry(disk);
	if (r == ARCHIVE_OK)
		return 0;
	return error_set(err, archive_errno(disk) == ENOSPC ? ERR_SPACE : ERR_INPUT,
			 "cannot unpack /%.200s: %s", path,
			 archive_error_string(disk) ? archive_error_string(disk)
						    : archive_error_string(tar));
}

static int unpack_tree(struct error **err)
{
	_cleanup_archive_ struct archive *tar = piece_tar_open(TAR, err);
	struct archive *disk = tar ? archive_write_disk_new() : NULL;
	struct archive_entry *entry;
	int r;

	if (!disk)
		return tar ? error_no_memory(err) : -1;
	archive_write_disk_set_options(
		disk, ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
			      ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_ACL |
			      ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
			      ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	while ((r = piece_tar_next(tar, &entry, err)) > 0)
		if (unpack_tree_entry(tar, disk, entry, err) < 0) {
			r = -1;
			break;
		}
	/* Sets the modes and times of directories. */
	if (archive_write_free(disk) != ARCHIVE_OK && r == 0)
		r = error_set(err, ERR_SYSTEM, "cannot set the modes of directories");
	return r;
}

/* The report is the error's code and its text. */
static _Noreturn void unpack_child(int userns, int tar, int report, int dir, const char *name)
{
	_cleanup_error_ struct error *err = NULL;
	char text[REPORT_MAX];
	int size;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    enter_tree(userns, tar, report, dir, name, &err) == 0) {
		report = REPORT;
		if (unpack_tree(&err) == 0)
			_exit(0);
	}
	size = snprintf(text, sizeof(text), "%d %s", err ? (int)err->code : ERR_SYSTEM,
			error_text(err));
	if (size > 0)
		(void)!write_all(report, text, size < REPORT_MAX ? (size_t)size : REPORT_MAX - 1);
	_exit(1);
}

static int unpack_failed(int report, int status, struct error **err)
{
	char text[REPORT_MAX] = "", *rest = text;
	ssize_t size = RETRY_ON_EINTR(read(report, text, sizeof(text) - 1));
	long code;

	if (size <= 0)
		return error_set(err, ERR_SYSTEM,
				 "cannot unpack the snapshot: the child process exited (%d)",
				 status);
	code = strtol(text, &rest, 10);
	return error_set(
		err, code == ERR_INPUT || code == ERR_SPACE ? (enum error_code)code : ERR_SYSTEM,
		"%s", *rest == ' ' ? rest + 1 : rest);
}

int snapshot_unpack(struct helper *h, int tar, int dir, const char *name, struct error **err)
{
	_cleanup_close_ int userns = -1, report = -1, theirs = -1;
	int ends[2], status;
	pid_t pid;

	if (helper_open_namespace(h, &userns, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create a pipe");
	report = ends[0];
	theirs = ends[1];
	pid = fork();
	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start a process");
	if (pid == 0)
		unpack_child(userns, tar, theirs, dir, name);
	closep(&theirs);
	theirs = -1;
	status = child_wait(pid, err);
	if (status <= 0)
		return status;
	return unpack_failed(report, status, err);
}
