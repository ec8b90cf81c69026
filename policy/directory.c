#include "policy/directory.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LINKS_MAX 40 /* as the kernel: path_resolution(7) */
/* Linux 6.8: an id that no other mount ever has. Older kernels ignore the bit and give the id that
 * another mount can have once this one is gone. Source: statx(2). */
#define MOUNT_ID_UNIQUE 0x4000u
#define MOUNT_IDS (STATX_MNT_ID | MOUNT_ID_UNIQUE)

/* A path that is being resolved: what is behind AT is DONE, and TODO follows. */
struct resolving {
	int at; /* O_PATH */
	char done[PATH_MAX], todo[PATH_MAX];
	unsigned links;
};

static int go_to(struct resolving *r, int next)
{
	closep(&r->at);
	r->at = next;
	return next < 0 ? -1 : 0;
}

static bool is_roots_alone(int directory)
{
	struct stat st;

	return fstat(directory, &st) == 0 && st.st_uid == 0 &&
	       (!(st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_mode & S_ISVTX);
}

/* Puts the target of LINK before what is to be done. */
static int follow(struct resolving *r, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);

	if (length <= 0 || r->links++ == LINKS_MAX) {
		errno = length < 0 ? errno : ELOOP;
		return -1;
	}
	target[length] = '\0';
	memcpy(rest, r->todo, sizeof(rest));
	if (snprintf(r->todo, sizeof(r->todo), "%s%s", target, rest) >= (int)sizeof(r->todo)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (*target != '/')
		return 0;
	*r->done = '\0';
	return go_to(r, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* To the directory above, which is what DONE says, as there is no link in that. */
static int go_up(struct resolving *r)
{
	char *slash = strrchr(r->done, '/');

	if (slash)
		*slash = '\0';
	return slash ? go_to(r, openat(r->at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int append(struct resolving *r, const char *text)
{
	size_t used = strlen(r->done);
	size_t room = sizeof(r->done) - used;

	if (snprintf(r->done + used, room, "/%s", text) < (int)room)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* One component. Returns 1 where there is more to resolve, 0 where the rest is to stay as it is. */
static int step(struct resolving *r)
{
	_cleanup_close_ int next = -1;
	char name[NAME_MAX + 1];
	size_t skip = strspn(r->todo, "/"), length = strcspn(r->todo + skip, "/");
	struct stat st;

	if (length == 0 || length > NAME_MAX)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)length, r->todo + skip);
	next = openat(r->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0 || fstat(next, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode) && (st.st_uid != 0 || !is_roots_alone(r->at)))
		return 0;
	memmove(r->todo, r->todo + skip + length, strlen(r->todo + skip + length) + 1);
	if (S_ISLNK(st.st_mode))
		return follow(r, next) < 0 ? -1 : 1;
	if (strcmp(name, ".") == 0)
		return 1;
	if (strcmp(name, "..") == 0)
		return go_up(r) < 0 ? -1 : 1;
	return append(r, name) < 0 || go_to(r, steal_fd(&next)) < 0 ? -1 : 1;
}

int directory_canonical(const char *path, char canonical[static PATH_MAX])
{
	struct resolving r = { .at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	int more = r.at < 0 || strlen(path) >= sizeof(r.todo) ? -1 : 1;

	if (more > 0)
		memcpy(r.todo, path, strlen(path) + 1);
	while (more > 0)
		more = step(&r);
	closep(&r.at);
	if (more == 0 && r.todo[strspn(r.todo, "/")])
		more = append(&r, r.todo + strspn(r.todo, "/"));
	memcpy(canonical, r.done, sizeof(r.done));
	return more;
}

/* Both are open, so neither mount can be gone, nor its id another's. */
static bool is_same_directory(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_BASIC_STATS | MOUNT_IDS, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_BASIC_STATS | MOUNT_IDS, &y) == 0 &&
	       x.stx_mask & MOUNT_IDS && (x.stx_mask & MOUNT_IDS) == (y.stx_mask & MOUNT_IDS) &&
	       x.stx_mnt_id == y.stx_mnt_id && x.stx_dev_major == y.stx_dev_major &&
	       x.stx_dev_minor == y.stx_dev_minor && x.stx_ino == y.stx_ino;
}

int directory_open_path(const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)RETRY_ON_EINTR(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

int directory_open(int fd, char path[static PATH_MAX], struct error **err)
{
	_cleanup_close_ int own = -1;
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	if (length <= 0)
		return error_errno(err, ERR_SYSTEM, "cannot tell where the directory is");
	path[length] = '\0';
	if (*path == '/')
		own = directory_open_path(path, O_RDONLY | O_DIRECTORY);
	if (own < 0 || !is_same_directory(fd, own))
		return error_set(err, ERR_REFUSED,
				 "the directory is not at %s where rootlet-helper looks: it is on "
				 "a mount of another namespace, was moved, or cannot be read",
				 path);
	return steal_fd(&own);
}
