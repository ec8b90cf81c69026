#include "helper/landlock_places.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>

#include "proto/cleanup.h"

#define READ                                                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define REOPEN (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE)
#define START (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)
#define DEVICES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

struct place {
	const char *path;
	uint64_t access;
};

/* What is not there is left out. */
static const struct place tool_places[] = {
	{ "/usr", READ },
	{ "/bin", READ },
	{ "/sbin", READ },
	{ "/lib", READ },
	{ "/lib32", READ },
	{ "/lib64", READ },
	{ "/libx32", READ },
	{ "/etc", READ },
	{ "/proc", READ | LANDLOCK_ACCESS_FS_WRITE_FILE },
	{ "/dev", READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_IOCTL_DEV },
	{ "/staging", ~DEVICES },
	{ "/tmp", ~DEVICES },
	{ "/run", ~DEVICES },
	{ "/dev/shm", ~DEVICES },
	{ NULL, 0 },
};

static const struct place tree_places[] = { { "/", ~DEVICES }, { NULL, 0 } };

static int add_rule(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int add_place(int ruleset, const struct place *place, uint64_t handled)
{
	_cleanup_close_ int fd = open(place->path, O_PATH | O_CLOEXEC);

	return fd < 0 ? 0 : add_rule(ruleset, fd, place->access & handled);
}

static uint64_t rights_to(int file)
{
	return fcntl(file, F_GETFL) & O_PATH ? START : REOPEN;
}

int landlock_allow(int ruleset, enum file_access files, int file, uint64_t handled)
{
	const struct place *place = files == FILES_TREE ? tree_places : tool_places;
	int r = 0;

	for (; files != FILES_NONE && r == 0 && place->path; place++)
		r = add_place(ruleset, place, handled);
	if (r == 0 && file >= 0)
		r = add_rule(ruleset, file, rights_to(file) & handled);
	return r;
}
