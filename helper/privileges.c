#include "helper/privileges.h"

#include <cap-ng.h>
#include <linux/securebits.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "helper/landlock.h"

#define FILES_MAX 4096
#define PROCESSES_MAX 4096 /* in a jail: none of its scripts takes all that the host has */
/* Any number above what libseccomp knows: calls newer than that "do not exist". */
#define CALL_NUMBERS 1024

static int apply_capabilities(uint64_t capabilities, bool bounding, struct error **err)
{
	capng_select_t select = bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;

	capng_clear(select);
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capabilities >> cap & 1)
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, cap);
	if (capng_apply(select) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot drop capabilities");
	return 0;
}

/* One rule for each call that libseccomp knows: allowed, a success that does nothing, or EPERM. */
static int add_calls(scmp_filter_ctx filter, const struct privileges *p)
{
	int r = 0;

	for (int number = 0; number < CALL_NUMBERS && r == 0; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (!name)
			continue;
		/* clone3's flags lie in memory, where a filter cannot look: libraries fall back. */
		if (p->contained && privileges_sync_call(name))
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), number, 0);
		else if (privileges_list(p, name))
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		else if (!p->kill && strcmp(name, "clone3") != 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
		free(name);
	}
	return r;
}

static int load_list(const struct privileges *p)
{
	scmp_filter_ctx filter =
		seccomp_init(p->kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
	int r = -ENOMEM;

	if (filter) {
		/* A binary tree of numbers in place of a chain: the filter runs at every call. */
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		r = add_calls(filter, p);
		if (r == 0)
			r = seccomp_load(filter);
	}
	seccomp_release(filter);
	return r;
}

/* A second filter besides the list: the kernel takes the stricter answer of the two. Masks of 32
 * bits, as the kernel looks at no more of these arguments than that. */
static int load_arguments(void)
{
	static const uint64_t namespaces[] = { CLONE_NEWUSER,  CLONE_NEWNS,  CLONE_NEWPID,
					       CLONE_NEWNET,   CLONE_NEWIPC, CLONE_NEWUTS,
					       CLONE_NEWCGROUP };
	static const uint64_t ioctls[] = { TIOCSTI, TIOCLINUX };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(namespaces) / sizeof(*namespaces); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	for (size_t i = 0; r == 0 && i < sizeof(ioctls) / sizeof(*ioctls); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, ioctls[i]));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

static int limit(const struct privileges *p)
{
	const struct rlimit core = { 0, 0 };
	struct rlimit processes;
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	if (files.rlim_max > FILES_MAX)
		files.rlim_max = FILES_MAX;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	if (!p->contained)
		return 0;
	if (getrlimit(RLIMIT_NPROC, &processes) < 0)
		return -1;
	if (processes.rlim_max > PROCESSES_MAX)
		processes.rlim_max = PROCESSES_MAX;
	processes.rlim_cur = processes.rlim_max;
	return setrlimit(RLIMIT_NPROC, &processes);
}

int privileges_drop(enum privilege_set set, int file, struct error **err)
{
	const struct privileges *p = &privilege_sets[set];
	/* No capability for being root but those kept; none comes back by changing ids. */
	const unsigned long bits = SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || limit(p) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot limit the %s", p->name);
	/* The parser comes from the jailer, which has its bits locked already. */
	if (set != PRIVILEGES_PARSER && prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot lock the securebits of the %s",
				   p->name);
	if (apply_capabilities(p->capabilities, set != PRIVILEGES_PARSER, err) < 0)
		return error_wrap(err, "%s", p->name);
	/* Nobody is to look into who parses or records, even who is the same user. The jailer has
	 * to be dumpable: the maps of a jail are its own files else. */
	if (p->kill && prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot protect the %s", p->name);
	if (landlock_enter(p->files, file, err) < 0)
		return error_wrap(err, "%s", p->name);
	/* The list last: it refuses the call that loads filters. */
	r = p->contained ? load_arguments() : 0;
	if (r == 0)
		r = load_list(p);
	if (r < 0) {
		errno = -r;
		return error_errno(err, ERR_HOST,
				   "cannot load the seccomp list of the %s; the kernel needs "
				   "CONFIG_SECCOMP_FILTER",
				   p->name);
	}
	return 0;
}

int privileges_renounce(struct error **err)
{
	return apply_capabilities(0, false, err);
}
