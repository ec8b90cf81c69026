#include "helper/jailer/landlock.h"

#include <fcntl.h>

#include "helper/starter/privileges.h"
#include "lib/landlock_domain.h"

#define RUN (LANDLOCK_READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define REOPEN (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE)
#define PLACES_MAX 16
#define START (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)

/* Paths that do not exist are left out. */
static const struct landlock_place tool_places[] = {
	{ "/usr", -1, RUN },
	{ "/bin", -1, RUN },
	{ "/sbin", -1, RUN },
	{ "/lib", -1, RUN },
	{ "/lib32", -1, RUN },
	{ "/lib64", -1, RUN },
	{ "/libx32", -1, RUN },
	{ "/etc", -1, RUN },
	{ "/proc", -1, RUN | LANDLOCK_ACCESS_FS_WRITE_FILE },
	{ "/dev", -1, RUN | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_IOCTL_DEV },
	{ "/staging", -1, ~LANDLOCK_DEVICES },
	{ "/tmp", -1, ~LANDLOCK_DEVICES },
	{ "/run", -1, ~LANDLOCK_DEVICES },
	{ "/dev/shm", -1, ~LANDLOCK_DEVICES },
};

static const struct landlock_place tree_place = { "/", -1, ~LANDLOCK_DEVICES };

static uint64_t rights_to(int file)
{
	return fcntl(file, F_GETFL) & O_PATH ? START : REOPEN;
}

int landlock_choose(enum file_access files, int file)
{
	struct landlock_place places[PLACES_MAX];
	struct landlock_domain domain = { .places = places };
	int version = landlock_version();

	/* A process in a Landlock domain cannot mount. Even a domain that does not cover files
	 * forbids its processes and their children to move files between directories. So the jailer
	 * has no domain at all. Interface 1 always forbids such moves, and dpkg needs them. */
	if (version == 0 || files == FILES_NONE || files == FILES_ANY ||
	    (version == 1 && (files == FILES_TREE || files == FILES_TOOL)))
		return PRIVILEGES_NO_RULESET;
	if (files == FILES_TREE)
		places[domain.place_count++] = tree_place;
	for (size_t i = 0; files == FILES_TOOL && i < sizeof(tool_places) / sizeof(*tool_places);
	     i++)
		places[domain.place_count++] = tool_places[i];
	if (file >= 0)
		places[domain.place_count++] =
			(struct landlock_place){ NULL, file, rights_to(file) };
	return landlock_domain_open(&domain);
}

int landlock_drop_privileges(enum privilege_set set, int file, struct error **err)
{
	int ruleset = landlock_choose(privilege_sets[set].files, file);

	if (ruleset == -1)
		return error_errno(err, ERR_HOST, "cannot make the Landlock domain of the %s",
				   privilege_sets[set].name);
	return privileges_drop(set, ruleset, err);
}
