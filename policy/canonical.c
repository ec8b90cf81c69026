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

/* A path that is being resolved: AT is the directory DONE, and TODO follows. */
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

/* Puts the target of LINK in front of the rest. */
static int path_follow(struct resolving *r, int link)
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

/* Goes to the directory above, which is also what DONE says, because no link is left in that. */
static int go_up(struct resolving *r)
{
	char *slash = strrchr(r->done, '/');

	if (slash)
		*slash = '\0';
	return slash ? go_to(r, openat(r->at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int path_append(struct resolving *r, const char *text)
{
	size_t used = strlen(r->done);
	size_t room = sizeof(r->done) - used;

	if (snprintf(r->done + used, room, "/%s", text) < (int)room)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* Resolves one component. Returns 1 if there is more to resolve, 0 if the rest stays as it is, or
 * -1 with errno set. */
static int path_step(struct resolving *r)
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
		return path_follow(r, next) < 0 ? -1 : 1;
	if (strcmp(name, ".") == 0)
		return 1;
	if (strcmp(name, "..") == 0)
		return go_up(r) < 0 ? -1 : 1;
	return path_append(r, name) < 0 || go_to(r, steal_fd(&next)) < 0 ? -1 : 1;
}

int directory_canonical(const char *path, char canonical[static PATH_MAX])
{
	struct resolving r = { .at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	int more = r.at < 0 || strlen(path) >= sizeof(r.todo) ? -1 : 1;

	if (more > 0)
		memcpy(r.todo, path, strlen(path) + 1);
	while (more > 0)
		more = path_step(&r);
	closep(&r.at);
	if (more == 0 && r.todo[strspn(r.todo, "/")])
		more = path_append(&r, r.todo + strspn(r.todo, "/"));
	memcpy(canonical, r.done, sizeof(r.done));
	return more;
}

int directory_open_path(const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)RETRY_ON_EINTR(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}
