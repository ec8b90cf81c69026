#include "helper/starter/idmap.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "helper/starter/own_ids.h"
#include "helper/starter/privileges.h"
#include "policy/subids.h"

_Static_assert(SUBIDS_NEEDED == RANGE_COUNT + 1, "a range has a spare id");

/* CAP_SETUID and CAP_SETGID, which root has as well, allow this without newuidmap(1). */
static int idmap_write_map(pid_t pid, const char *file, uint32_t first, uint32_t caller, bool spare)
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

int idmap_explain(const char *what, struct error **err)
{
	/* ENOSPC means that a sysctl's limit was reached, not that a disk is full. */
	return error_set(err, ERR_HOST,
			 "cannot create %s: %m; to see which setting forbids it, run: rootlet "
			 "doctor",
			 what);
}

static int choose_range(const struct session *session, struct idmap *map, struct error **err)
{
	const struct caller *caller = &session->grant.caller;

	if (session->mode != MODE_INSTALLED)
		return own_ids_check(map, err);
	if (policy_range(&session->grant, &map->first_uid, err) < 0)
		return -1;
	map->first_gid = map->first_uid;
	return subids_check_untaken(caller->name, map->first_uid, err);
}

/* The owner of a user namespace has every right over it. So the owner must not be the caller, who
 * could enter it, nor an id that is mapped in it, which a caller can get by a setuid program in a
 * rootfs. A range has one id more than jails use. Sources: user_namespaces(7), ptrace(2). */
static int become_spare(const struct idmap *map, struct error **err)
{
	uid_t uid = map->first_uid + RANGE_COUNT;
	gid_t gid = map->first_gid + RANGE_COUNT;

	if (privileges_raise() < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(err, ERR_HOST, "cannot become the range's spare id, %u", uid);
	return 0;
}

int idmap_become_nobody(void)
{
	const struct idmap nobody = { SUBIDS_ROOT_FIRST, SUBIDS_ROOT_FIRST };

	return become_spare(&nobody, NULL) < 0 || setgroups(0, NULL) < 0 ? -1 : 0;
}

int idmap_open(const struct session *session, struct idmap *map, struct error **err)
{
	int r = choose_range(session, map, err);

	if (session->mode != MODE_INSTALLED)
		return r;
	/* A caller without a range is also refused by a process that they cannot stop. */
	if (r < 0)
		map->first_uid = map->first_gid = SUBIDS_ROOT_FIRST;
	return become_spare(map, r < 0 ? NULL : err) < 0 ? -1 : r;
}

pid_t idmap_fork(struct error **err)
{
	const unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD;
	pid_t pid;

	/* The child is dumpable until it has ids, because otherwise only the host's root could
	 * write its maps. Nothing else runs as the spare id. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare a process");
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid > 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		kill(pid, SIGKILL);
	return pid < 0 ? idmap_explain("a user namespace", err) : pid;
}

int idmap_write(const struct session *session, const struct idmap *map, pid_t child,
		struct error **err)
{
	const struct caller *caller = &session->grant.caller;
	bool installed = session->mode == MODE_INSTALLED;

	if (session->mode == MODE_USER)
		return own_ids_write(map, child, caller, err);
	if (idmap_write_map(child, "uid_map", map->first_uid, caller->uid, installed) < 0 ||
	    idmap_write_map(child, "gid_map", map->first_gid, caller->gid, installed) < 0)
		return error_set(err, ERR_HOST,
				 "cannot map user ids: the kernel refused the maps; is this a "
				 "container that lacks the ids?");
	return 0;
}

int idmap_join(int child, struct error **err)
{
	if (child < 0 || setns(child, CLONE_NEWUSER | IDMAP_HOST_PARTS | CLONE_NEWPID) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the jailer's namespaces");
	return 0;
}
