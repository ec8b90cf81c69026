#include "helper/starter/privileges.h"

#include <cap-ng.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "lib/landlock_ruleset.h"
#include "lib/memory_code.h"

#include "seccomp_filters.h"

#define FILES_MAX 4096
#define PROCESSES_MAX 4096 /* in a jail, so that no script uses up the host's */

static int apply_capabilities(uint64_t capabilities, bool bounding)
{
	capng_select_t select = bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;

	/* Our own pid: after clone(2), the library would use the parent's. */
	capng_setpid(0);
	capng_clear(select);
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capabilities >> cap & 1)
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, cap);
	return capng_apply(select) == 0 ? 0 : -1;
}

int privileges_limit_cores(void)
{
	const struct rlimit one = { 1, 1 };
	const struct rlimit none = { 0, 0 };

	/* If the limit is lower already, it cannot be raised. */
	return setrlimit(RLIMIT_CORE, &one) < 0 ? setrlimit(RLIMIT_CORE, &none) : 0;
}

int privileges_lower(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -1;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit);
}

/* Takes over RULESET. */
static int privileges_enter_domain(const struct privileges *p, int ruleset)
{
	_cleanup_close_ int taken = p->files == FILES_NONE && landlock_version() > 0
					    ? landlock_ruleset_open(false)
					    : ruleset;

	return taken == PRIVILEGES_NO_RULESET ? 0 : landlock_ruleset_enter(taken);
}

int privileges_drop(enum privilege_set set, int ruleset, struct error **err)
{
	const struct privileges *p = &privilege_sets[set];
	/* Being root gives no capability but those kept. Changing ids brings none back, and takes
	 * none from the jailer: take_file_ids(). */
	const unsigned long bits = SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
				   (set == PRIVILEGES_JAILER ? SECBIT_NO_SETUID_FIXUP : 0);

	/* The parser is a child of the jailer, which has locked its bits already. No process may
	 * look into these, not even one of the same user; but the jailer has no ids yet, and must
	 * be dumpable until then: see idmap_fork(). */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || privileges_limit_cores() < 0 ||
	    privileges_lower(RLIMIT_NOFILE, FILES_MAX) < 0 ||
	    (p->contained && privileges_lower(RLIMIT_NPROC, PROCESSES_MAX) < 0) ||
	    (set != PRIVILEGES_PARSER && prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0) ||
	    apply_capabilities(p->capabilities, set != PRIVILEGES_PARSER) < 0 ||
	    (set != PRIVILEGES_JAILER && prctl(PR_SET_DUMPABLE, 0) < 0))
		return error_errno(err, ERR_SYSTEM, "cannot take rights from the %s", p->name);
	/* Programs that are not ours decide that for themselves. */
	memory_refuse_code(p->kill);
	if (privileges_enter_domain(p, ruleset) < 0)
		return error_errno(err, ERR_HOST, "cannot enter the Landlock domain of the %s",
				   p->name);
	/* The list comes last, because it refuses the call that loads filters. The kernel takes the
	 * strictest answer of all filters. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &argument_filters[set]) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &list_filters[set]) < 0)
		return error_errno(err, ERR_HOST,
				   "cannot load the seccomp list of the %s; the kernel needs "
				   "CONFIG_SECCOMP_FILTER",
				   p->name);
	return 0;
}

int privileges_renounce(void)
{
	return apply_capabilities(0, false);
}

int privileges_raise(void)
{
	if (capng_get_caps_process() < 0 ||
	    capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_SETUID, CAP_SETGID, -1) < 0)
		return -1;
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -1 : 0;
}
