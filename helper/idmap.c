#include "helper/idmap.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "policy/subids.h"
#include "policy/subids_find.h"

#define HOST_PARTS (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

_Static_assert(SUBIDS_NEEDED == RANGE_COUNT + 1, "a range has a spare id");

/* Root, and who has the two capabilities, write the maps themselves: no program needed. */
static int write_map(pid_t pid, const char *file, uint32_t first, uint32_t caller, bool spare)
{
	char path[64], map[128];
	_cleanup_close_ int fd = -1;
	int length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	length = snprintf(map, sizeof(map), "0 %u %u\n%u %u 1\n", first, RANGE_COUNT, CALLER_ID,
			  caller);
	if (spare)
		length += snprintf(map + length, sizeof(map) - (size_t)length, "%u %u 1\n",
				   SPARE_ID, first + RANGE_COUNT);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, (size_t)length) == length ? 0 : -1;
}

/* newuidmap PID 0 FIRST 65535 65535 CALLER 1; its complaint goes to our standard error. Returns 0,
 * or what the program's exit status is said to be. */
static int start_map_program(const char *program, pid_t pid, uint32_t first, uint32_t caller,
			     pid_t *child)
{
	char pid_text[16], first_text[16], caller_text[16], count[] = "65535", one[] = "1",
							    zero[] = "0";
	char *argv[] = { (char *)(uintptr_t)program,
			 pid_text,
			 zero,
			 first_text,
			 count,
			 count,
			 caller_text,
			 one,
			 NULL };
	char *environment[] = { NULL };
	int r;

	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	snprintf(first_text, sizeof(first_text), "%u", first);
	snprintf(caller_text, sizeof(caller_text), "%u", caller);
	r = posix_spawn(child, program, NULL, NULL, argv, environment);
	return r == 0 ? 0 : r == ENOENT ? 127 : 126;
}

static int end_map_program(pid_t child)
{
	int status;

	if (RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0 || !WIFEXITED(status))
		return 126;
	return WEXITSTATUS(status);
}

/* Both at a time: most of what they take is their start. */
static int run_map_programs(pid_t pid, const struct idmap *map, uid_t uid, gid_t gid)
{
	pid_t users = -1, groups = -1;
	int r = start_map_program("/usr/bin/newuidmap", pid, map->first_uid, uid, &users);
	int s = start_map_program("/usr/bin/newgidmap", pid, map->first_gid, gid, &groups);

	if (r == 0)
		r = end_map_program(users);
	if (s == 0)
		s = end_map_program(groups);
	return r ? r : s;
}

/* Returns 0, or what the programs say. */
static int map_process(pid_t pid, const struct idmap *map, const struct session *session)
{
	uid_t uid = session->grant.caller.uid;
	gid_t gid = session->grant.caller.gid;
	bool installed = session->mode == MODE_INSTALLED;

	if (session->mode != MODE_USER)
		return write_map(pid, "uid_map", map->first_uid, uid, installed) < 0 ||
				       write_map(pid, "gid_map", map->first_gid, gid, installed) < 0
			       ? 1
			       : 0;
	return run_map_programs(pid, map, uid, gid);
}

#define APPARMOR_RULE "kernel.apparmor_restrict_unprivileged_userns"

/* AppArmor's rule either forbids a user namespace, or lets it be made and takes all capabilities
 * away in it. Source: Linux of Ubuntu, security/apparmor/lsm.c. */
static bool is_apparmors(int number)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
				      O_RDONLY | O_CLOEXEC);
	char value = '0';

	return (number == EPERM || number == EACCES) && fd >= 0 && read(fd, &value, 1) == 1 &&
	       value != '0';
}

static int explain_namespaces(const char *what, const char *settings, struct error **err)
{
	int number = errno;

	if (is_apparmors(number))
		return error_set(err, ERR_HOST,
				 "cannot make %s: AppArmor forbids it (the sysctl " APPARMOR_RULE
				 " is 1) to a rootlet-helper without its profile; ask an "
				 "administrator to load that; which one: rootlet doctor",
				 what);
	/* ENOSPC is a sysctl's limit here, and no full disk. */
	return error_set(err, ERR_HOST, "cannot make %s: %s; see what forbids it with: sysctl %s",
			 what, strerror(number), settings);
}

static int explain_maps(enum mode mode, int code, struct error **err)
{
	if (mode != MODE_USER)
		return error_set(err, ERR_HOST,
				 "cannot map user ids: the kernel refused the maps; is this a "
				 "container that lacks the ids?");
	if (code == 127)
		return error_set(err, ERR_HOST,
				 "cannot map user ids: /usr/bin/newuidmap or newgidmap is not "
				 "there; ask an administrator to run: apt install uidmap");
	return error_set(err, ERR_HOST,
			 "cannot map user ids: newuidmap or newgidmap refused the range, or lacks "
			 "its setuid bit; ask an administrator to run: apt install --reinstall "
			 "uidmap");
}

static int read_range(const struct caller *caller, struct idmap *map, struct error **err)
{
	struct subids subids;

	if (!subids_find(caller->name, caller->uid, &subids))
		return error_set(err, ERR_HOST,
				 "cannot map user ids: %s; ask an administrator to run: %s",
				 subids.why, subids.fix);
	map->first_uid = subids.first_uid;
	map->first_gid = subids.first_gid;
	return 0;
}

static int choose_range(const struct session *session, struct idmap *map, struct error **err)
{
	const struct caller *caller = &session->grant.caller;

	if (session->mode != MODE_INSTALLED)
		return read_range(caller, map, err);
	if (policy_range(&session->grant, &map->first_uid, err) < 0)
		return -1;
	map->first_gid = map->first_uid;
	return subids_check_untaken(caller->name, map->first_uid, err);
}

/* The owner of a user namespace has every right over it, so that must not be the caller, who could
 * else enter it past us, nor an id that is mapped in there, which a setuid program in a rootfs
 * makes of him. A range has one id more than jails have. Sources: user_namespaces(7), ptrace(2). */
static int become_spare(const struct idmap *map, struct error **err)
{
	uid_t uid = map->first_uid + RANGE_COUNT;
	gid_t gid = map->first_gid + RANGE_COUNT;

	capng_get_caps_process();
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_SETUID, CAP_SETGID, -1) < 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot become the range's spare id, %u", uid);
	return 0;
}

int idmap_become_nobody(void)
{
	const struct idmap nobody = { SUBIDS_ROOT_FIRST, SUBIDS_ROOT_FIRST };

	return become_spare(&nobody, NULL) < 0 || setgroups(0, NULL) < 0 ? -1 : 0;
}

int idmap_act_for_caller(struct error **err)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 ||
	    setresgid(SPARE_ID, SPARE_ID, SPARE_ID) < 0 ||
	    setresuid(SPARE_ID, SPARE_ID, SPARE_ID) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot become the range's spare id");
	/* These calls tell only what was before. */
	setfsgid(CALLER_ID);
	setfsuid(CALLER_ID);
	if (setfsgid(SPARE_ID + 1) != (int)CALLER_ID || setfsuid(SPARE_ID + 1) != (int)CALLER_ID)
		return error_set(err, ERR_SYSTEM, "cannot reach files as the caller");
	return 0;
}

int idmap_open(const struct session *session, struct idmap *map, struct error **err)
{
	int r = choose_range(session, map, err);

	if (session->mode != MODE_INSTALLED)
		return r;
	/* Who has no range is refused by a process that he cannot stop, either: nobody's. */
	if (r < 0)
		map->first_uid = map->first_gid = SUBIDS_ROOT_FIRST;
	return become_spare(map, r < 0 ? NULL : err) < 0 ? -1 : r;
}

pid_t idmap_fork(struct error **err)
{
	const unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD;
	pid_t pid;

	/* The child is dumpable until it has ids: else only the host's root could write its maps.
	 * Nobody runs as the spare id who could make use of it. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare a process");
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid > 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		kill(pid, SIGKILL);
	return pid < 0 ? explain_namespaces("a user namespace",
					    "kernel.unprivileged_userns_clone "
					    "user.max_user_namespaces",
					    err)
		       : pid;
}

int idmap_leave_host(struct error **err)
{
	if (unshare(HOST_PARTS) < 0)
		return explain_namespaces("namespaces",
					  "user.max_net_namespaces user.max_ipc_namespaces "
					  "user.max_uts_namespaces",
					  err);
	return 0;
}

int idmap_write(const struct session *session, const struct idmap *map, pid_t child,
		struct error **err)
{
	int code = map_process(child, map, session);

	return code == 0 ? 0 : explain_maps(session->mode, code, err);
}

int idmap_join(int child, struct error **err)
{
	if (child < 0 || setns(child, CLONE_NEWUSER | HOST_PARTS | CLONE_NEWPID) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the jailer's namespaces");
	return 0;
}
