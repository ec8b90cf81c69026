#include "policy/canonical.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/cleanup.h"

#define LINKS_MAX 40 /* the kernel's limit: path_resolution(7) */

/* A path that is being resolved: DONE, which has no links, and TODO, which follows. */
struct resolving {
	char *done, todo[PATH_MAX];
	unsigned links;
};

int directory_open_path(const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)RETRY_ON_EINTR(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

static bool is_roots_alone(int directory)
{
	struct stat st;

	return fstat(directory, &st) == 0 && st.st_uid == 0 &&
	       (!(st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_mode & S_ISVTX);
}

/* Puts the target of LINK in front of the rest. */
static int path_follow(struct resolving *r, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);

	if (length <= 0 || r->links++ == LINKS_MAX)
		return -1;
	target[length] = '\0';
	memcpy(rest, r->todo, sizeof(rest));
	if (*target == '/')
		*r->done = '\0';
	return snprintf(r->todo, sizeof(r->todo), "%s%s", target, rest) < (int)sizeof(r->todo) ? 1
											       : -1;
}

static int path_append(char *path, const char *text)
{
	size_t used = strlen(path), room = PATH_MAX - used;

	return snprintf(path + used, room, "/%s", text) < (int)room ? 1 : -1;
}

/* Resolves one component. Returns 1 if there is more to resolve, 0 if the rest stays as it is, or
 * -1. */
static int path_step(struct resolving *r)
{
	_cleanup_close_ int at = directory_open_path(*r->done ? r->done : "/", O_PATH);
	_cleanup_close_ int next = -1;
	char name[NAME_MAX + 1], *slash = strrchr(r->done, '/');
	size_t skip = strspn(r->todo, "/"), length = strcspn(r->todo + skip, "/");
	struct stat st;

	if (at < 0 || length == 0 || length > NAME_MAX)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)length, r->todo + skip);
	next = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0 || fstat(next, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode) && (st.st_uid != 0 || !is_roots_alone(at)))
		return 0;
	memmove(r->todo, r->todo + skip + length, strlen(r->todo + skip + length) + 1);
	if (S_ISLNK(st.st_mode))
		return path_follow(r, next);
	if (strcmp(name, "..") == 0)
		r->done[slash ? slash - r->done : 0] = '\0';
	else if (strcmp(name, ".") != 0)
		return path_append(r->done, name);
	return 1;
}

int directory_canonical(const char *path, char canonical[static PATH_MAX])
{
	struct resolving r = { .done = canonical };
	int more = 1;

	*canonical = '\0';
	if (strlen(path) >= sizeof(r.todo))
		return -1;
	memcpy(r.todo, path, strlen(path) + 1);
	while (more > 0)
		more = path_step(&r);
	path = r.todo + strspn(r.todo, "/");
	if (more == 0 && *path && path_append(canonical, path) < 0)
		more = -1;
	return more;
}
