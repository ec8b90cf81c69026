#include "helper/starter/session.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define FILES_LEAST 256 /* descriptors */

const char *mode_name(enum mode mode)
{
	static const char *const names[] = { "user", "installed", "root" };

	return names[mode];
}

static enum mode find_mode(void)
{
	if (getuid() == 0)
		return MODE_ROOT;
	/* AT_SECURE tells a file's capabilities from ambient ones, which the root of a container's
	 * namespace passes on. Source: getauxval(3). */
	if (getauxval(AT_SECURE) && capng_get_caps_process() == 0 &&
	    capng_have_capability(CAPNG_PERMITTED, CAP_SETUID) == 1 &&
	    capng_have_capability(CAPNG_PERMITTED, CAP_SETGID) == 1)
		return MODE_INSTALLED;
	return MODE_USER;
}

int session_check_limits(const struct session *s, struct error **err)
{
	struct rlimit size, files, seconds;

	if (getrlimit(RLIMIT_FSIZE, &size) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    getrlimit(RLIMIT_CPU, &seconds) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read the resource limits");
	if (size.rlim_max != RLIM_INFINITY || files.rlim_max < FILES_LEAST ||
	    (s->mode == MODE_INSTALLED && seconds.rlim_max != RLIM_INFINITY))
		return error_set(err, ERR_HOST,
				 "this session's limits are too low: rootlet-helper needs files of "
				 "unlimited "
				 "size, %d descriptors and, if installed, unlimited CPU time; see: "
				 "ulimit -H -a",
				 FILES_LEAST);
	size.rlim_cur = size.rlim_max;
	seconds.rlim_cur = seconds.rlim_max;
	return setrlimit(RLIMIT_FSIZE, &size) < 0 || setrlimit(RLIMIT_CPU, &seconds) < 0
		       ? error_errno(err, ERR_SYSTEM, "cannot raise the resource limits")
		       : 0;
}

static uint32_t read_number(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return UINT32_MAX;
	return (uint32_t)strtoumax(text, NULL, 10);
}

int session_open(struct session *s, int channel, accounts_isolate *isolate, struct error **err)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	s->mode = find_mode();
	/* In user mode, newuidmap and newgidmap have to run, with rights of their own. */
	if (s->mode != MODE_USER && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot renounce new privileges");
	getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	s->front_end = peer.pid;
	s->login_uid = read_number("/proc/self/loginuid");
	s->audit_session = read_number("/proc/self/sessionid");
	/* The caller comes first, so that a refusal can be recorded. */
	if (caller_self(&s->grant.caller, s->mode == MODE_INSTALLED ? isolate : NULL, err) < 0 ||
	    policy_load(POLICY_PATH, s->mode == MODE_INSTALLED, &s->policy, err) < 0)
		return -1;
	return grant_make(&s->grant, s->policy, &s->grant.caller, err);
}
