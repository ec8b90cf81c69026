#include "frontend/commands/doctor_kernel.h"

#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "frontend/client/client.h"
#include "frontend/client/own_subids.h"
#include "frontend/vm/userns.h"
#include "lib/landlock_domain.h"
#include "policy/subids.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 15

#define APPARMOR_RULE "kernel.apparmor_restrict_unprivileged_userns"
#define APPARMOR_PROFILE ROOTLET_DATADIR "/apparmor/rootlet-helper.apparmor"

void probe_subids(struct finding *f)
{
	struct subids subids;

	if (helper_is_installed()) {
		finding_set(f, VERDICT_OK, "", "not needed: the policy assigns the range");
		return;
	}
	if (!own_subids_find(&subids))
		finding_set(f, VERDICT_MISSING, subids.fix, "%s", subids.why);
	else if (subids.first_uid == SUBIDS_ROOT_FIRST)
		finding_set(f, VERDICT_OK, "", "root needs no entry in /etc/subuid");
	else
		finding_set(f, VERDICT_OK, "", "user ids from %u, group ids from %u",
			    subids.first_uid, subids.first_gid);
}

void probe_libsubid(struct finding *f)
{
	bool library = own_subids_has_library();
	char service[SUBID_SERVICE_SIZE];

	if (helper_is_installed())
		finding_set(f, VERDICT_OK, "", "not needed: the policy assigns the range");
	else if (!own_subids_service(service))
		finding_set(f, VERDICT_OK, "", "%s, and not needed: the ranges are in files",
			    library    ? "installed"
			    : LIBSUBID ? "not installed"
				       : "not built in");
	else if (library)
		finding_set(f, VERDICT_OK, "", "installed: it asks %s for the ranges", service);
	else if (!LIBSUBID)
		finding_set(f, VERDICT_MISSING, "build rootlet with -Dlibsubid=enabled",
			    "not built in; it would ask %s for the ranges", service);
	else
		finding_set_install(f, VERDICT_MISSING, "libsubid5",
				    "not installed; it would ask %s for the ranges", service);
}

/* newuidmap needs the setuid bit or file capabilities to map more than the caller's own id. */
static bool may_map(const char *path)
{
	struct stat st;

	return (stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & S_ISUID)) ||
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

void probe_idmap_programs(struct finding *f)
{
	_cleanup_free_ char *users = program_find("newuidmap");
	_cleanup_free_ char *groups = program_find("newgidmap");

	if (helper_is_installed())
		finding_set(f, VERDICT_OK, "", "not needed: rootlet-helper writes the maps itself");
	else if (getuid() == 0 && !(users && groups))
		finding_set(f, VERDICT_OK, "", "not installed, and root does not need them");
	else if (!users || !groups)
		finding_set_install(f, VERDICT_MISSING, "uidmap", "not installed");
	else if (getuid() != 0 && (!may_map(users) || !may_map(groups)))
		finding_set(f, VERDICT_MISSING, "chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap",
			    "%s and %s have neither the setuid bit nor file capabilities", users,
			    groups);
	else
		finding_set(f, VERDICT_OK, "", "%s and %s", users, groups);
}

/* -1 if the kernel has no such setting. */
static long read_setting(const char *name)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *in = NULL;
	long value;

	if (asprintf(&path, "/proc/sys/%s", name) < 0)
		return -1;
	in = fopen(path, "re");
	return in && fscanf(in, "%ld", &value) == 1 ? value : -1;
}

static bool is_restricted(void)
{
	return read_setting("kernel/apparmor_restrict_unprivileged_userns") == 1;
}

/* Makes a user namespace, and others inside it: AppArmor's restriction allows the first, but takes
 * away all capabilities in it. Returns 0 or an errno. */
static int try_namespaces(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (unshare(CLONE_NEWUSER) < 0 ||
		    unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			    CLONE_NEWUTS) < 0)
			_exit(errno < 255 ? errno : 255);
		_exit(0);
	}
	if (child < 0 || RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0 || !WIFEXITED(status))
		return EAGAIN;
	return WEXITSTATUS(status);
}

/* When the helper answers, it has made all of its namespaces. */
static bool helper_makes_namespaces(void)
{
	_cleanup_error_ struct error *ignored = NULL;
	struct helper *helper = NULL;
	bool makes = helper_start("doctor", NULL, &helper, &ignored) == 0;

	helper_stop(&helper);
	return makes;
}

/* Opens a user namespace as for a VM: the helper's own, or a separate one if the helper is
 * installed and keeps its own to itself. Returns -1 on failure. */
static int open_namespace(void)
{
	_cleanup_error_ struct error *ignored = NULL;
	struct helper *helper = NULL;
	int userns = -1;

	if (helper_is_installed())
		return userns_open(&ignored);
	if (helper_start("doctor", NULL, &helper, &ignored) == 0)
		helper_open_namespace(helper, &userns, &ignored);
	helper_stop(&helper);
	return userns;
}

/* AppArmor's restriction is per program. This program has no profile, because users can load code
 * into it. */
static void judge_apparmor(struct finding *f)
{
	_cleanup_close_ int userns = -1;

	if (!helper_makes_namespaces()) {
		finding_set(f, VERDICT_MISSING,
			    "as root: " ROOTLET_INSTALLER ", or for user mode: "
			    "apparmor_parser -r " APPARMOR_PROFILE " (or: sysctl -w " APPARMOR_RULE
			    "=0)",
			    "AppArmor forbids them to programs without a profile (the "
			    "sysctl " APPARMOR_RULE " is 1)");
		return;
	}
	userns = open_namespace();
	if (userns >= 0)
		finding_set(f, VERDICT_OK, "", "AppArmor lets rootlet's own programs make them");
	else
		finding_set(f, VERDICT_WARNING,
			    ROOTLET_INSTALLER ", with --vm, which gives each member of its group a "
					      "user namespace",
			    "AppArmor lets rootlet-helper make them, but not rootlet-userns: "
			    "rootlet run and rootlet fstests cannot boot a VM");
}

void probe_namespaces(struct finding *f)
{
	int number = try_namespaces();

	if (number == 0)
		finding_set(f, VERDICT_OK, "", "user namespaces can be made, and nested");
	else if (read_setting("user/max_user_namespaces") == 0)
		finding_set(f, VERDICT_MISSING, "sysctl -w user.max_user_namespaces=15000",
			    "the sysctl user.max_user_namespaces is 0");
	else if (read_setting("kernel/unprivileged_userns_clone") == 0)
		finding_set(f, VERDICT_MISSING, "sysctl -w kernel.unprivileged_userns_clone=1",
			    "the sysctl kernel.unprivileged_userns_clone is 0; file capabilities "
			    "do not help, since each jail has a user namespace of its own");
	else if (is_restricted())
		judge_apparmor(f);
	else if (number == ENOSPC)
		finding_set(f, VERDICT_MISSING,
			    "sysctl --all --pattern user.max_, and raise the limit that is reached",
			    "a limit on the number of namespaces is reached");
	else
		finding_set(f, VERDICT_MISSING,
			    "in a container: allow unshare and mount in its seccomp profile",
			    "a user namespace cannot be made: %s", strerror(number));
}

/* Mounts a /proc as process 1 of a new pid namespace and root of a new user namespace, which is
 * made inside USERNS if that is not -1. Returns 0 or an errno. */
static int try_proc(int userns)
{
	int status;
	pid_t child = fork(), first;

	if (child == 0) {
		if ((userns >= 0 && setns(userns, CLONE_NEWUSER) < 0) ||
		    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0 || (first = fork()) < 0)
			_exit(errno < 255 ? errno : 255);
		if (first == 0)
			_exit(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
					      mount("proc", "/proc", "proc", 0, NULL) < 0
				      ? (errno < 255 ? errno : 255)
				      : 0);
		_exit(RETRY_ON_EINTR(waitpid(first, &status, 0)) < 0 || !WIFEXITED(status)
			      ? EAGAIN
			      : WEXITSTATUS(status));
	}
	if (child < 0 || RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0 || !WIFEXITED(status))
		return EAGAIN;
	return WEXITSTATUS(status);
}

void probe_seal(struct finding *f)
{
	_cleanup_close_ int userns = is_restricted() ? open_namespace() : -1;
	int number = try_proc(userns);

	if (number == 0)
		finding_set(f, VERDICT_OK, "", "a VM gets a /proc of its own");
	else if (userns < 0 && is_restricted())
		finding_set(f, VERDICT_WARNING, "see: user namespaces",
			    "AppArmor forbids the namespaces of a VM");
	else
		finding_set(f, VERDICT_WARNING,
			    "run the container with an unmasked /proc, or rootlet run with "
			    "--unsealed",
			    "a VM gets no /proc of its own: %s", strerror(number));
}

void probe_kernel(struct finding *f)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		finding_set(f, VERDICT_OK, "", "Linux %s", name.release);
	else
		finding_set(f, VERDICT_MISSING, "boot a newer kernel", "Linux %s; %d.%d is needed",
			    name.release, KERNEL_MAJOR, KERNEL_MINOR);
}

void probe_landlock(struct finding *f)
{
	int version = landlock_version();

	if (version > 0)
		finding_set(f, VERDICT_OK, "",
			    "version %d: further restricts the files that the helper can access",
			    version);
	else
		finding_set(f, VERDICT_WARNING,
			    "boot with lsm=landlock,… on the kernel's command line",
			    "the kernel has none: the files that the helper can access are less "
			    "restricted");
}

/* How the process that parses downloads is confined: see fetch_sandbox.h. Landlock version 4 limits
 * TCP ports. Version 6 limits abstract sockets and signals, which seccomp forbids anyway. */
void probe_downloads(struct finding *f)
{
	int version = landlock_version();

	if (version >= 4)
		finding_set(f, VERDICT_OK, "",
			    "confined to its part of the cache and the ports of mirrors; cannot "
			    "start programs");
	else if (version > 0)
		finding_set(
			f, VERDICT_OK, "",
			"confined to its part of the cache; cannot start programs, but can use any "
			"port: Landlock before version 4 does not limit ports");
	else
		finding_set(
			f, VERDICT_WARNING, "boot with lsm=landlock,… on the kernel's command line",
			"the kernel has no Landlock: if the code that parses downloads were taken "
			"over, it could open your files, but still start no program and reach no "
			"local socket or other process");
}
