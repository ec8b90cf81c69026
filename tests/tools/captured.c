/* captured DIR PORT OTHER VICTIM TERMINAL SOCKET ABSTRACT [without-landlock]
 *
 * Imitates a hijacked fetch process of the front end: starts it like the front end, in the same
 * sandbox, and does what an attacker would. Prints "WHAT<tab>OUTSIDE<tab>INSIDE<tab>KIND" for each
 * attempt: an errno's name, "0" (success), or the name of the signal that ended the process. KIND:
 * "work" must succeed inside, "attack" must not; "file", "port" and "scope" are attacks that only
 * Landlock prevents, from ABI versions 1, 4 and 6 on.
 *
 * DIR has home/ and cache/ of the user, who may do everything outside. PORT and OTHER are server
 * ports: the mirror's, and one that no mirror uses. VICTIM is a process of the user. TERMINAL is
 * the path of the user's terminal, SOCKET that of a listening socket, ABSTRACT the name of one. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/archive/fetch_process.h"

#define PATH_SIZE 512

static char home[PATH_SIZE / 2], cache[PATH_SIZE / 2];
static const char *terminal, *socket_path, *abstract_name;
static uint16_t mirror_port, other_port;
static pid_t victim, front;
static int secret_file = -1, inherited_socket = -1;
static const char *secret_variable;
static bool confined;

static const char *in(const char *dir, const char *name)
{
	static char paths[4][PATH_SIZE];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_SIZE, "%s/%s", dir, name);
	return path;
}

static int close_after(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd;
}

/* --- legitimate work --- */

static int work_write(void)
{
	const char *draft = in(cache, "packages/.draft"), *file = in(cache, "packages/file");
	int fd = open(draft, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || fchmod(fd, 0644) < 0 || close(fd) < 0)
		return -1;
	return rename(draft, file) < 0 ? -1 : unlink(file);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int work_connect(void)
{
	return connect_to(mirror_port);
}

static int work_certificates(void)
{
	return close_after(open("/etc/ssl", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int work_unpack(void)
{
	return mkdirat(AT_FDCWD, in(cache, "kernels/.new/boot"), 0755);
}

/* --- files --- */

static int read_home(void)
{
	return close_after(open(in(home, "file"), O_RDONLY | O_CLOEXEC));
}

static int write_home(void)
{
	return close_after(open(in(home, "file"), O_WRONLY | O_CLOEXEC));
}

static int truncate_home(void)
{
	return close_after(open(in(home, "file"), O_WRONLY | O_TRUNC | O_CLOEXEC));
}

static int make_in_home(void)
{
	return close_after(open(in(home, "new"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
}

static int list_home(void)
{
	return close_after(open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int unlink_home(void)
{
	return unlink(in(home, "file"));
}

static int rename_home(void)
{
	return rename(in(home, "file"), in(home, "other"));
}

static int take_home(void)
{
	return rename(in(home, "file"), in(cache, "packages/file"));
}

static int put_home(void)
{
	return rename(in(cache, "packages/planted"), in(home, "planted"));
}

static int mkdir_home(void)
{
	return mkdirat(AT_FDCWD, in(home, "directory"), 0755);
}

static int times_home(void)
{
	return utimensat(AT_FDCWD, in(home, "file"), NULL, 0);
}

static int climb_to_home(void)
{
	return close_after(open(in(cache, "packages/../../home/file"), O_RDONLY | O_CLOEXEC));
}

static int link_to_home(void)
{
	/* It exists already: the process could not create it. */
	return close_after(open(in(cache, "packages/link"), O_RDONLY | O_CLOEXEC));
}

static int chmod_home(void)
{
	return chmod(in(home, "file"), 0777);
}

static int write_kernel(void)
{
	return close_after(open(in(cache, "kernels/one/boot"), O_WRONLY | O_CLOEXEC));
}

static int unlink_kernel(void)
{
	return unlink(in(cache, "kernels/one/boot"));
}

static int write_base(void)
{
	return close_after(open(in(cache, "bases/new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int read_passwd(void)
{
	return close_after(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int write_tmp(void)
{
	char path[] = "/var/tmp/captured.XXXXXX";
	int fd = close_after(mkstemp(path));

	unlink(path);
	return fd;
}

static int mkdir_packages(void)
{
	return mkdirat(AT_FDCWD, in(cache, "packages/directory"), 0755);
}

static int make_symlink(void)
{
	return symlink(in(home, "file"), in(cache, "packages/symlink"));
}

static int make_link(void)
{
	return link(in(cache, "packages/planted"), in(cache, "packages/second"));
}

static int make_fifo(void)
{
	return mkfifo(in(cache, "packages/fifo"), 0600);
}

static int make_setuid(void)
{
	return chown(in(cache, "packages/planted"), getuid(), getgid());
}

static int use_inherited_file(void)
{
	char byte;

	return pread(secret_file, &byte, 1, 0) == 1 ? 0 : -1;
}

static int use_inherited_socket(void)
{
	return write(inherited_socket, "x", 1) == 1 ? 0 : -1;
}

static int find_variable(void)
{
	/* At its address from before the fork. */
	return secret_variable && strcmp(secret_variable, "of-the-user") == 0 ? 0 : -1;
}

/* --- programs and processes --- */

static int run_program(void)
{
	char *argv[] = { (char *)(uintptr_t) "true", NULL }, *none[] = { NULL };

	return execve("/bin/true", argv, none);
}

static int run_memory(void)
{
	char *argv[] = { (char *)(uintptr_t) "true", NULL }, *none[] = { NULL };
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("program", MFD_CLOEXEC);

	if (from >= 0)
		sendfile(fd, from, NULL, 1 << 24);
	argv[0] = (char *)(uintptr_t) "captured";
	/* Without arguments, it prints its usage and exits. */
	return (int)syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH);
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int make_thread_clone3(void)
{
	/* Invalid flags: EINVAL shows that the call exists. */
	long r = syscall(SYS_clone3, NULL, (size_t)64);

	return r < 0 && errno == EFAULT ? 0 : -1;
}

static void *nothing(void *context)
{
	return context;
}

static int make_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, nothing, NULL);
	return errno ? -1 : pthread_join(thread, NULL);
}

static int kill_victim(void)
{
	return kill(victim, SIGCONT);
}

static int signal_by_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, victim, 0);

	return fd < 0 ? -1 : (int)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
}

static int signal_all(void)
{
	return kill(-1, 0);
}

static int trace_victim(void)
{
	long r = ptrace(PTRACE_SEIZE, victim, NULL, NULL);

	if (r == 0)
		ptrace(PTRACE_DETACH, victim, NULL, NULL);
	return (int)r;
}

static int limit_victim(void)
{
	struct rlimit limit;

	return prlimit(victim, RLIMIT_NOFILE, NULL, &limit);
}

static int nice_victim(void)
{
	return setpriority(PRIO_PROCESS, (id_t)victim, 19);
}

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return close_after(open(path, flags | O_CLOEXEC));
}

static int read_environment(void)
{
	return open_of(front, "environ", O_RDONLY);
}

static int write_memory(void)
{
	return open_of(front, "mem", O_RDWR);
}

static int read_maps(void)
{
	return open_of(front, "maps", O_RDONLY);
}

static int use_descriptors(void)
{
	return open_of(front, "fd/0", O_RDONLY);
}

static int read_front(void)
{
	char byte;
	struct iovec mine = { &byte, 1 }, its = { (void *)(uintptr_t)secret_variable, 1 };

	return (int)process_vm_readv(front, &mine, 1, &its, 1, 0);
}

static int outlive(void)
{
	return prctl(PR_SET_PDEATHSIG, 0);
}

static int be_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static int raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NPROC, &limit) < 0)
		return -1;
	return setrlimit(RLIMIT_NPROC, &limit);
}

static int run_memory_as_code(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return code == MAP_FAILED ? -1 : 0;
}

static int make_memory_code(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(code, 4096, PROT_READ | PROT_EXEC);
}

/* --- sockets --- */

static int connect_local(const char *name, bool is_abstract, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path + is_abstract, sizeof(address.sun_path) - is_abstract, "%s",
		 name);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, size);
}

static int connect_run_user(void)
{
	return connect_local(socket_path, false, SOCK_STREAM);
}

static int connect_abstract(void)
{
	return connect_local(abstract_name, true, SOCK_STREAM);
}

/* The channel is an inherited local socket. Outside, a new one is equivalent. */
static int connect_channel(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = confined ? 3 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	for (; confined && fd < 20; fd++) {
		struct sockaddr_un own = { .sun_family = AF_UNSPEC };
		socklen_t size = sizeof(own);

		if (getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
		    own.sun_family == AF_UNIX)
			break;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s.packets", socket_path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int make_pair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
}

static int make_udp(void)
{
	return close_after(socket(AF_INET, SOCK_DGRAM, 0));
}

static int make_netlink(void)
{
	return close_after(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int make_vsock(void)
{
	return close_after(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int serve_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : listen(fd, 1);
}

static int connect_other_port(void)
{
	return connect_to(other_port);
}

/* --- terminal, namespaces, the rest --- */

static int write_terminal(void)
{
	int fd = open(terminal, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -1 : (int)write(fd, "x", 1);
}

/* EIO: this kernel forbids it (dev.tty.legacy_tiocsti). */
static int type_into_terminal(void)
{
	int fd;

	setsid();
	fd = open(terminal, O_RDWR | O_CLOEXEC);
	return ioctl(fd, TIOCSTI, "x");
}

static int make_ioctl(void)
{
	struct winsize size = { 0 };

	/* The error that /dev/null is not a terminal shows that the call was made. */
	return ioctl(0, TIOCGWINSZ, &size) < 0 && errno == ENOTTY ? 0 : -1;
}

static int make_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int mount_something(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int add_key(void)
{
	return (int)syscall(SYS_add_key, "user", "captured", "x", 1, -2 /* the process keyring */);
}

static int make_ring(void)
{
	char parameters[256] = { 0 };

	return (int)syscall(SYS_io_uring_setup, 1, parameters);
}

static int change_root(void)
{
	return chdir(home);
}

static const struct attempt {
	const char *what;
	int (*make)(void);
	const char *kind;
} attempts[] = {
	{ "write a file of its cache", work_write, "work" },
	{ "connect to the mirror's port", work_connect, "work" },
	{ "read certificates", work_certificates, "work" },
	{ "create a directory for the kernel", work_unpack, "work" },

	{ "read a file of the user", read_home, "file" },
	{ "write a file of the user", write_home, "file" },
	{ "empty a file of the user", truncate_home, "file" },
	{ "create a file in the home directory", make_in_home, "file" },
	{ "list the home directory", list_home, "file" },
	{ "remove a file of the user", unlink_home, "file" },
	{ "rename a file of the user", rename_home, "file" },
	{ "move a file of the user into the cache", take_home, "file" },
	{ "move a file of the cache to the home", put_home, "file" },
	{ "create a directory in the home directory", mkdir_home, "file" },
	{ "reach a file of the user through ..", climb_to_home, "file" },
	{ "reach a file of the user through a link", link_to_home, "file" },
	{ "change a kernel of the cache", write_kernel, "file" },
	{ "remove a kernel of the cache", unlink_kernel, "file" },
	{ "create a snapshot in the cache", write_base, "file" },
	{ "read /etc/passwd", read_passwd, "file" },
	{ "create a file in /var/tmp", write_tmp, "file" },
	{ "create a directory beside packages", mkdir_packages, "file" },
	{ "change the mode of a user's file", chmod_home, "attack" },
	{ "create a symlink", make_symlink, "attack" },
	{ "create a hard link", make_link, "attack" },
	{ "make a FIFO", make_fifo, "attack" },
	{ "change the owner of a file", make_setuid, "attack" },
	{ "change its directory", change_root, "attack" },
	{ "use a file that the front end had open", use_inherited_file, "attack" },
	{ "use a socket that the front end had open", use_inherited_socket, "attack" },
	{ "find a variable of the environment", find_variable, "attack" },

	{ "run a program", run_program, "attack" },
	{ "run a program in memory", run_memory, "attack" },
	{ "make a process", make_process, "attack" },
	{ "create a process with clone3", make_thread_clone3, "attack" },
	{ "make a thread", make_thread, "attack" },
	{ "send a signal", kill_victim, "attack" },
	{ "send a signal through a pidfd", signal_by_pidfd, "attack" },
	{ "send a signal to all processes", signal_all, "attack" },
	{ "trace a process", trace_victim, "attack" },
	{ "read a process's limits", limit_victim, "attack" },
	{ "slow a process down", nice_victim, "attack" },
	{ "read the front end's environment", read_environment, "file" },
	{ "write the front end's memory", write_memory, "file" },
	{ "read the front end's maps", read_maps, "file" },
	{ "open the front end's descriptors", use_descriptors, "file" },
	{ "read the front end's memory", read_front, "attack" },
	{ "outlive the front end", outlive, "attack" },
	{ "be traceable", be_dumpable, "attack" },
	{ "change its limits", raise_limits, "attack" },
	{ "map executable memory", run_memory_as_code, "attack" },
	{ "make memory executable", make_memory_code, "attack" },

	{ "connect to a socket in /run/user", connect_run_user, "attack" },
	{ "connect to an abstract socket", connect_abstract, "attack" },
	{ "connect an inherited local socket elsewhere", connect_channel, "attack" },
	{ "create a pair of local sockets", make_pair, "attack" },
	{ "create a UDP socket", make_udp, "attack" },
	{ "create a netlink socket", make_netlink, "attack" },
	{ "create a socket to a hypervisor", make_vsock, "attack" },
	{ "listen", serve_tcp, "attack" },
	{ "connect to a port that no mirror uses", connect_other_port, "port" },

	{ "write to a terminal", write_terminal, "file" },
	{ "type into a terminal", type_into_terminal, "attack" },
	{ "make an ioctl", make_ioctl, "attack" },
	{ "create a user namespace", make_namespace, "attack" },
	{ "mount", mount_something, "attack" },
	{ "keep a key", add_key, "attack" },
	{ "create an io_uring", make_ring, "attack" },
	{ "change a file's times", times_home, "attack" },
};

/* Restores the files before each attempt. */
static void lay_out(void)
{
	static const char *const gone[] = { "home/new",
					    "home/other",
					    "home/planted",
					    "home/directory",
					    "cache/bases/new",
					    "cache/packages/directory",
					    "cache/packages/fifo",
					    "cache/packages/symlink",
					    "cache/packages/second",
					    "cache/packages/file",
					    "cache/kernels/.new/boot" };
	static const char *const files[] = { "home/file", "cache/kernels/one/boot",
					     "cache/packages/planted" };
	char path[PATH_SIZE];

	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)(strlen(home) - strlen("/home")), home,
			 gone[i]);
		if (unlink(path) < 0)
			rmdir(path);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int fd;

		snprintf(path, sizeof(path), "%.*s/%s", (int)(strlen(home) - strlen("/home")), home,
			 files[i]);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, "of the user", 11) != 11)
			_exit(3);
		close(fd);
	}
}

/* The parent gets the result through the channel, because exiting would be another call that must
 * be allowed. 0 for a program that was run: its exit status. */
static int run_attempt(int channel, void *context)
{
	const struct attempt *a = context;
	int number;
	ssize_t n;

	errno = 0;
	number = a->make() < 0 ? (errno ? errno : EPERM) : 0;
	n = send(channel, &number, sizeof(number), MSG_NOSIGNAL);
	return n == (ssize_t)sizeof(number) ? 0 : 4;
}

static const char *judge(int received, int number, int status)
{
	if (received)
		return number ? strerrorname_np(number) : "0";
	/* Another program replaced it. */
	if (WIFEXITED(status))
		return "0";
	return sigabbrev_np(WTERMSIG(status));
}

static const char *outside(const struct attempt *a)
{
	int ends[2], number = 0, status = 0;
	bool received;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		return "?";
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		fcntl(ends[1], F_SETFD, FD_CLOEXEC);
		_exit(run_attempt(ends[1], (void *)(uintptr_t)a));
	}
	close(ends[1]);
	received = recv(ends[0], &number, sizeof(number), 0) == sizeof(number);
	close(ends[0]);
	waitpid(pid, &status, 0);
	return judge(received, number, status);
}

static const char *inside(const struct attempt *a)
{
	const struct fetch_sandbox sandbox = {
		.writable = { in(cache, "indexes"), in(cache, "packages"), in(cache, "solv") },
		.writable_count = 3,
		.certificates = true,
		.tree = in(cache, "kernels/.new"),
		.ports = { mirror_port },
		.port_count = 1,
	};
	const struct fetch_task task = { .run = run_attempt, .context = (void *)(uintptr_t)a };
	_cleanup_error_ struct error *err = NULL;
	struct fetch_process process;
	int number = 0, status;
	bool received;

	confined = true;
	fflush(stdout);
	if (fetch_process_start(&task, &sandbox, &process, &err) < 0) {
		printf("# %s\n", err ? err->message : "");
		return "unstarted";
	}
	received = recv(process.channel, &number, sizeof(number), 0) == sizeof(number);
	status = fetch_process_stop(&process);
	return judge(received, number, status);
}

/* Like a kernel without it. */
static int hide_landlock(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS_landlock_create_ruleset, 0);

	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int main(int argc, char **argv)
{
	int ends[2];

	if (argc < 8)
		return 2;
	snprintf(home, sizeof(home), "%.200s/home", argv[1]);
	snprintf(cache, sizeof(cache), "%.200s/cache", argv[1]);
	mirror_port = (uint16_t)atoi(argv[2]);
	other_port = (uint16_t)atoi(argv[3]);
	victim = atoi(argv[4]);
	terminal = argv[5];
	socket_path = argv[6];
	abstract_name = argv[7];
	front = getpid();
	secret_variable = getenv("SECRET");
	lay_out();
	secret_file = open(in(home, "file"), O_RDONLY);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 || (argc > 8 && hide_landlock() < 0))
		return 3;
	inherited_socket = ends[0];
	for (const struct attempt *a = attempts;
	     a < attempts + sizeof(attempts) / sizeof(*attempts); a++) {
		const char *without, *with;

		lay_out();
		confined = false;
		without = outside(a);
		lay_out();
		with = inside(a);
		printf("%s\t%s\t%s\t%s\n", a->what, without, with, a->kind);
	}
	return 0;
}
