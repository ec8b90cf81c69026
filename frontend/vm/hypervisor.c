#include "frontend/vm/hypervisor.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/vm/host_layout.h"
#include "frontend/vm/layout.h"
#include "frontend/vm/userns.h"
#include "frontend/vm/userns_make.h"
#include "frontend/vm/vm_directory.h"
#include "frontend/vm/vm_filter.h"
#include "frontend/vm/vng.h"
#include "lib/close_except.h"
#include "proto/channel.h"

/* The caller's id in the outer user namespace. */
#define CALLER_ID 65535

/* The only capability that vng keeps, and only for a tree: it reads files whatever their modes. */
#define KEPT_CAPABILITY CAP_DAC_READ_SEARCH

/* The host name in the VM's own uts namespace. */
#define HOST_NAME "rootlet"

static _Noreturn void hypervisor_fail(int channel, const struct error *err)
{
	char packet[2048];
	int length = snprintf(packet, sizeof(packet), "%c%s", 'A' + (int)err->code, err->message);
	size_t size = (size_t)length < sizeof(packet) ? (size_t)length : sizeof(packet) - 1;

	packet_send(channel, packet, size, NULL, 0, NULL);
	_exit(125);
}

/* Receives COUNT descriptors. */
static int receive_lines(int channel, int *lines[], size_t count, struct error **err)
{
	char packet[2049];
	int fds[PACKET_FDS_MAX];
	size_t fd_count = 0;
	ssize_t size = packet_receive(channel, packet, sizeof(packet) - 1, fds, &fd_count, err);

	if (size < 0)
		return -1;
	if (size == 0)
		return error_set(err, ERR_SYSTEM, "the VM's first process exited unexpectedly");
	packet[size] = '\0';
	if (strcmp(packet, "ready") == 0 && fd_count == count) {
		for (size_t i = 0; i < count; i++)
			*lines[i] = fds[i];
		return 0;
	}
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (packet[0] <= 'A' || packet[0] > 'A' + (int)ERR_LAST)
		return error_set(err, ERR_SYSTEM, "the VM's first process sent an invalid reply");
	return error_set(err, (enum error_code)(packet[0] - 'A'), "%s", packet + 1);
}

int hypervisor_wait(int channel, const struct vm_config *config, struct vm_lines *lines,
		    struct error **err)
{
	memset(lines, -1, sizeof(*lines));
	if (receive_lines(channel, (int *[]){ &lines->console, &lines->status }, 2, err) < 0 ||
	    (config->terminal &&
	     receive_lines(channel, (int *[]){ &lines->terminal_in, &lines->terminal_out }, 2,
			   err) < 0))
		return -1;
	if (config->gdb &&
	    receive_lines(channel, (int *[]){ &lines->gdb_in, &lines->gdb_out }, 2, err) < 0)
		return -1;
	return config->dump ? receive_lines(channel,
					    (int *[]){ &lines->monitor[0], &lines->monitor[1],
						       &lines->memory },
					    3, err)
			    : 0;
}

/* Capabilities do not by themselves survive a change of ids or an exec: PR_SET_KEEPCAPS keeps them
 * over the first, the ambient set over the second. The supplementary groups stay: kvm may be one of
 * them. */
static int become_caller(const struct vm_config *config, uid_t caller, struct error **err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	bool tree = config->root.kind == VM_ROOT_TREE;
	/* Without a namespace of our own, we may have no capabilities, nor the right to drop any.
	 */
	bool optional = config->root.kind == VM_ROOT_HOST;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot keep a capability for vng");
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((!tree || cap != KEPT_CAPABILITY) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    !optional)
			return error_errno(err, ERR_SYSTEM, "cannot drop capability %d", cap);
	if (tree &&
	    (setresgid(caller, caller, caller) < 0 || setresuid(caller, caller, caller) < 0))
		return error_errno(err, ERR_SYSTEM, "cannot become the caller again");
	if (tree)
		data[0].permitted = data[0].inheritable = data[0].effective = 1u << KEPT_CAPABILITY;
	if (syscall(SYS_capset, &header, data) < 0 ||
	    (tree && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KEPT_CAPABILITY, 0, 0) < 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot reduce vng's capabilities");
	return 0;
}

/* Where vng runs, and its disks. */
struct vm_place {
	uid_t caller; /* the uid that vng runs as */
	char *dir;
	int disks[VM_DISKS_MAX];
};

/* If standard input is a terminal, it becomes the controlling terminal, for job control in the
 * shell. */
static _Noreturn void run_vng(const struct vm_config *config, const struct vm_place *place,
			      const int stdio[3], int channel)
{
	_cleanup_error_ struct error *err = NULL;

	signal(SIGPIPE, SIG_DFL);
	if (setsid() < 0 || chdir("/") < 0)
		error_errno(&err, ERR_SYSTEM, "cannot prepare vng");
	for (int i = 0; !err && i < 3; i++)
		if (dup2(stdio[i], i) < 0)
			error_errno(&err, ERR_SYSTEM, "cannot prepare vng");
	if (!err && isatty(0) && ioctl(0, TIOCSCTTY, 0) < 0)
		error_errno(&err, ERR_SYSTEM, "cannot set vng's controlling terminal");
	if (!err && become_caller(config, place->caller, &err) == 0 &&
	    vm_filter_install(config->root.virtiofs, &err) == 0)
		vng_exec(config, place->dir, place->disks, &err);
	hypervisor_fail(channel, err);
}

/* Opened for reading and writing, so that neither side blocks until the other opens it. */
static int open_fifo(const char *dir, const char *name, struct error **err)
{
	_cleanup_free_ char *path = NULL;
	int fd = -1;

	if (asprintf(&path, "%s/%s", dir, name) >= 0)
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		error_errno(err, ERR_SYSTEM, "cannot open the VM's %s", name);
	return fd;
}

/* Sends the FIFOs of these names, as receive_lines() expects them. */
static void send_lines(const char *dir, const char *const *names, size_t count, int channel)
{
	_cleanup_error_ struct error *err = NULL;
	int fds[PACKET_FDS_MAX];

	for (size_t i = 0; i < count && !err; i++)
		fds[i] = open_fifo(dir, names[i], &err);
	if (err || packet_send(channel, "ready", strlen("ready"), fds, count, &err) < 0)
		hypervisor_fail(channel, err);
	/* Our copies stay open: without a reader on a FIFO, qemu would fail. */
}

static void hypervisor_announce(const struct vm_config *config, const char *dir, int channel)
{
	static const char *const usual[] = { "console", "status" };
	static const char *const terminal[] = { VM_TERMINAL_IN, VM_TERMINAL_OUT };
	static const char *const gdb[] = { VM_GDB_IN, VM_GDB_OUT };
	static const char *const dump[] = { VM_MONITOR_IN, VM_MONITOR_OUT, VM_MEMORY };

	send_lines(dir, usual, 2, channel);
	if (config->terminal)
		send_lines(dir, terminal, 2, channel);
	if (config->gdb)
		send_lines(dir, gdb, 2, channel);
	if (config->dump)
		send_lines(dir, dump, 3, channel);
}

/* The signal handler writes to it, so that poll() notices when a child exits. */
static int child_pipe[2] = { -1, -1 };

static void child_changed(int number)
{
	int saved = errno;
	ssize_t ignored = write(child_pipe[1], "", 1);

	(void)number;
	(void)ignored;
	errno = saved;
}

/* Waits until vng exits or the parent is gone, and returns the exit status. */
static int hypervisor_watch(pid_t vng, int channel, int child_ended)
{
	for (;;) {
		struct pollfd polled[2] = { { .fd = channel, .events = POLLIN },
					    { .fd = child_ended, .events = POLLIN } };
		char byte;
		int status;

		if ((poll(polled, 2, -1) < 0 && errno != EINTR) || polled[0].revents)
			return 125;
		for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
			if (pid == vng)
				return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
		while (read(child_ended, &byte, 1) > 0)
			;
	}
}

/* Ends all our descendants if there is no pid namespace. We are a subreaper: orphaned descendants
 * become our children, so this reaches every process in the end. */
static void end_children(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	for (;;) {
		_cleanup_fclose_ FILE *in = fopen(path, "re");
		int pid, count = 0;

		for (; in && fscanf(in, "%d", &pid) == 1; count++)
			kill(pid, SIGKILL);
		if (count == 0)
			return;
		while (waitpid(-1, NULL, 0) > 0 && --count > 0)
			;
	}
}

static int hypervisor_make_place(const struct vm_config *config, const struct vng_places *places,
				 struct vm_place *place, struct error **err)
{
	if (config->root.kind == VM_ROOT_HOST) {
		place->caller = getuid();
		if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot prepare the VM");
		return host_layout_make(config, &place->dir, place->disks, err);
	}
	place->caller = config->root.kind == VM_ROOT_TREE ? CALLER_ID : 0;
	place->dir = strdup(VM_DIR);
	if (!place->dir || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot prepare the VM");
	return layout_make(config, places, place->caller, place->disks, err);
}

/* Process 1 of the VM's pid namespace, if it has one: when it exits, the kernel kills every other
 * process in it. */
static _Noreturn void first_process(const struct vm_config *config, const struct vng_places *places,
				    const int stdio[3], int channel)
{
	struct sigaction action = { .sa_handler = child_changed };
	_cleanup_error_ struct error *err = NULL;
	struct vm_place place = { 0 };
	int status;
	pid_t vng;

	if (pipe2(child_pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    sigaction(SIGCHLD, &action, NULL) < 0) {
		error_errno(&err, ERR_SYSTEM, "cannot prepare the VM");
		hypervisor_fail(channel, err);
	}
	if (hypervisor_make_place(config, places, &place, &err) < 0)
		hypervisor_fail(channel, err);
	hypervisor_announce(config, place.dir, channel);
	vng = fork();
	if (vng == 0)
		run_vng(config, &place, stdio, channel);
	if (vng < 0) {
		error_errno(&err, ERR_SYSTEM, "cannot start vng");
		hypervisor_fail(channel, err);
	}
	for (int i = 0; i < 3; i++)
		close(stdio[i]);
	status = hypervisor_watch(vng, channel, child_pipe[0]);
	if (config->root.kind == VM_ROOT_HOST) {
		end_children();
		host_layout_remove(place.dir);
	}
	_exit(status);
}

static int become_root(struct error **err)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot become root of the user namespace");
	return 0;
}

/* Makes a user namespace inside the helper's in which the caller is root and no other user exists,
 * as userns_open() does. AppArmor allows it, since we have every capability. The ids that vng runs
 * with matter in shared directories: in this namespace root owns the files that the guest writes,
 * and may chown and chmod them. */
static int make_userns(struct error **err)
{
	bool made;

	if (userns_make(&made) == 0)
		return 0;
	if (made)
		return error_errno(err, ERR_SYSTEM, "cannot map the caller's ids");
	return error_set(err, ERR_HOST,
			 "cannot make a user namespace for the VM: %s; see: rootlet doctor",
			 strerror(errno));
}

static int enter_userns(const struct vm_root *root, struct error **err)
{
	_cleanup_close_ int made = root->userns < 0 ? userns_open(err) : -1;
	int userns = root->userns < 0 ? made : root->userns;

	if (userns < 0)
		return -1;
	/* We may enter it because we made it. In the helper's namespace we are CALLER_ID, with
	 * every capability. */
	if (setns(userns, CLONE_NEWUSER) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot enter the VM's user namespace");
	if (root->kind == VM_ROOT_TREE)
		return become_root(err);
	return root->userns < 0 ? 0 : make_userns(err);
}

static int hypervisor_enter(const struct vm_config *config, struct error **err)
{
	if (config->root.kind == VM_ROOT_HOST)
		return 0;
	if (enter_userns(&config->root, err) < 0)
		return -1;
	if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET |
		    CLONE_NEWCGROUP) < 0)
		return error_errno(err, ERR_HOST, "cannot create the VM's namespaces");
	if (sethostname(HOST_NAME, strlen(HOST_NAME)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set the VM's host name");
	/* Must come last: a change of credentials clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set the VM's parent-death signal");
	return 0;
}

_Noreturn void hypervisor_main(const struct vm_config *config, const int stdio[3], int channel)
{
	_cleanup_error_ struct error *err = NULL;
	struct vng_places places = { 0 };
	pid_t first;
	int status;

	/* Our own session, so that Ctrl-C on the terminal reaches only the front end, which then
	 * ends us. */
	setsid();
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	/* Must run while we are still the caller, with their home directory and Python. */
	if (!config->unsealed && config->root.kind != VM_ROOT_HOST &&
	    vng_places_find(&places, &err) < 0)
		hypervisor_fail(channel, err);
	if (hypervisor_enter(config, &err) < 0)
		hypervisor_fail(channel, err);
	close_except((int[]){ stdio[0], stdio[1], stdio[2], channel, config->kernel->elf }, 5);
	first = fork();
	if (first == 0)
		first_process(config, &places, stdio, channel);
	if (first < 0) {
		error_errno(&err, ERR_SYSTEM, "cannot start the VM's first process");
		hypervisor_fail(channel, err);
	}
	for (int i = 0; i < 3; i++)
		close(stdio[i]);
	/* Close our copy too, so that its other end sees the first process exit. */
	close(channel);
	if (RETRY_ON_EINTR(waitpid(first, &status, 0)) < 0)
		_exit(125);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 125);
}
