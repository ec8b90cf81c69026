#include "helper/landlock.h"

#include <linux/landlock.h>
#include <sys/syscall.h>

#include "helper/landlock_places.h"

/* The kernel's headers of the oldest release that builds this are those of interface 1; the bits
 * and the structure are the kernel's for ever. */
struct rules {
	uint64_t files, network, scopes;
};

#define FILES_1 ((UINT64_C(1) << 13) - 1)
#define REFER (UINT64_C(1) << 13)   /* 2: move and link between folders */
#define TCP UINT64_C(3)		    /* 4: bind, connect */
#define ABSTRACT_SOCKET UINT64_C(1) /* 6 */

int landlock_version(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (int)version : 0;
}

static struct rules rules_of(int version)
{
	struct rules r = { .files = FILES_1 };

	r.files |= (version >= 2 ? REFER : 0) | (version >= 3 ? LANDLOCK_TRUNCATE : 0) |
		   (version >= 5 ? LANDLOCK_IOCTL_DEV : 0);
	r.network = version >= 4 ? TCP : 0;
	r.scopes = version >= 6 ? ABSTRACT_SOCKET : 0;
	return r;
}

int landlock_enter(enum file_access files, int file, struct error **err)
{
	int version = landlock_version();
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
	if (ruleset < 0 ||
	    ((files != FILES_NONE || file >= 0) &&
	     landlock_allow(ruleset, files, file, rules.files) < 0) ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot enter a Landlock domain");
	return 0;
}
