#include "lib/landlock_ruleset.h"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TCP UINT64_C(3)		    /* 4: bind, connect */
#define ABSTRACT_SOCKET UINT64_C(1) /* 6 */
#define SIGNAL UINT64_C(2)	    /* 6 */

int landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

uint64_t landlock_files(int version)
{
	return LANDLOCK_FILES_1 | (version >= 2 ? LANDLOCK_REFER : 0) |
	       (version >= 3 ? LANDLOCK_TRUNCATE : 0) | (version >= 5 ? LANDLOCK_IOCTL_DEV : 0);
}

int landlock_ruleset_open(bool signals)
{
	int version = landlock_version();
	/* The kernel's structure: files since version 1, ports since 4, sockets and signals since
	 * 6. An older kernel accepts none that is longer than its own. */
	const uint64_t handled[] = { landlock_files(version), TCP,
				     ABSTRACT_SOCKET | (signals ? SIGNAL : 0) };
	size_t count = version >= 6 ? 3 : version >= 4 ? 2 : 1;

	return (int)syscall(SYS_landlock_create_ruleset, handled, count * sizeof(*handled), 0);
}

int landlock_ruleset_enter(int ruleset)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
