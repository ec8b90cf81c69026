#include "helper/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>

/* The kernel's headers of the oldest release that builds this are those of interface 1; the bits
 * and the structure are the kernel's for ever. */
struct rules {
	uint64_t files, network, scopes;
};

#define FILES_1 ((UINT64_C(1) << 13) - 1)
#define REFER (UINT64_C(1) << 13)     /* 2: move and link between folders */
#define TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define READ                                                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define REOPEN (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)
#define START (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)
#define DEVICES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define TCP UINT64_C(3)		    /* 4: bind, connect */
#define ABSTRACT_SOCKET UINT64_C(1) /* 6 */

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
	{ "/dev", READ | LANDLOCK_ACCESS_FS_WRITE_FILE | IOCTL_DEV },
	{ "/staging", ~DEVICES },
	{ "/tmp", ~DEVICES },
	{ "/run", ~DEVICES },
	{ "/dev/shm", ~DEVICES },
	{ NULL, 0 },
};

static const struct place tree_places[] = { { "/", ~DEVICES }, { NULL, 0 } };
static const struct place no_places[] = { { NULL, 0 } };

int landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static struct rules rules_of(int version)
{
	struct rules r = { .files = FILES_1 };

	r.files |= (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) |
		   (version >= 5 ? IOCTL_DEV : 0);
	r.network = version >= 4 ? TCP : 0;
	r.scopes = version >= 6 ? ABSTRACT_SOCKET : 0;
	return r;
}

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

int landlock_enter(enum file_access files, int file, struct error **err)
{
	static const struct place *const places[] = {
		[FILES_NONE] = no_places,
		[FILES_TREE] = tree_places,
		[FILES_TOOL] = tool_places,
	};
	int version = landlock_version(), r = 0;
	struct rules rules = rules_of(version);
	_cleanup_close_ int ruleset = -1;
	/* An older kernel takes no longer structure than its own. */
	size_t size = version >= 6 ? sizeof(rules) : version >= 4 ? 16 : 8;

	/* Whoever is in a domain cannot mount, and of one that leaves files alone nobody below can
	 * move any between folders: none at all for the jailer. Interface 1 forbids such moves to
	 * all, and dpkg cannot do without. */
	if (files == FILES_ANY || version == 0 || (version == 1 && files != FILES_NONE))
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	for (const struct place *p = places[files]; ruleset >= 0 && r == 0 && p->path; p++)
		r = add_place(ruleset, p, rules.files);
	if (ruleset >= 0 && r == 0 && file >= 0)
		r = add_rule(ruleset, file, rights_to(file) & rules.files);
	if (ruleset < 0 || r < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot enter a Landlock domain");
	return 0;
}
