/* Replaces rootlet-worker, as if an attacker had taken it over: tries one attack and reports the
 * outcome in the result's text. tests/adversary/worker.py patches the attack and the job into this
 * program. For other jobs, it just reports success. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/note.h"
#include "proto/task.h"

#define SOCKET 3
#define UP 40 /* more than the components of any path */

/* "JOB\0ATTACK\0SECRET\0" after a marker. */
static volatile char given[1024] = "the worker's orders: ";
#define MARK (sizeof("the worker's orders: ") - 1)

static struct note note = { .kind = NOTE_RESULT, .code = ERR_SYSTEM };
static const char *secret;
static int list = -1, memory = -1;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	size_t used = strlen(note.text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(note.text + used, sizeof(note.text) - used, format, ap);
	va_end(ap);
}

static void say_result(const char *what, long result)
{
	say("%s=%s ", what, result < 0 ? strerrorname_np(errno) : "done");
}

/* Lists the names in FD, and closes it. */
static void say_names(const char *what, int fd)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	say("%s:", what);
	if (!d)
		say("%s", strerrorname_np(errno));
	while (d && (entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			say("%s,", entry->d_name);
	say(" ");
	if (d)
		closedir(d);
}

static int climb(int from)
{
	int at = fcntl(from, F_DUPFD_CLOEXEC, 0);

	for (int i = 0; i < UP && at >= 0; i++) {
		int above = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (above < 0)
			break;
		close(at);
		at = above;
	}
	return at;
}

/* Climbs from the working directory, the root, the trees, and every open descriptor. */
static void up(void)
{
	static const char *const places[] = { ".", "/", "/tree", "/source", "/staging" };
	char what[32];

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			say_names(places[i], climb(fd));
		close(fd);
	}
	for (int fd = 0; fd < 64; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0)
			continue;
		snprintf(what, sizeof(what), "fd%d", fd);
		if (S_ISDIR(st.st_mode))
			say_names(what, climb(fd));
	}
}

/* Reports the types of all open descriptors. */
static void open_files(void)
{
	for (int fd = 0; fd < 64; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0)
			say("fd%d=%s ", fd,
			    S_ISDIR(st.st_mode)	   ? "directory"
			    : S_ISSOCK(st.st_mode) ? "socket"
			    : S_ISREG(st.st_mode)  ? "file"
			    : S_ISCHR(st.st_mode)  ? "device"
						   : "other");
	}
}

static void read_secret(const char *what, int dir, const char *path)
{
	char text[64] = "";
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0)
		say("%s=%s ", what, text);
	else
		say_result(what, -1);
	close(fd);
}

/* Tries every path that could lead there. */
static void paths(void)
{
	static const char *const roots[] = { "/proc/self/root",
					     "/proc/1/root",
					     "/proc/self/cwd",
					     "/proc/self/fd/3",
					     "/proc/self/fd/4",
					     "/proc/self/fd/10",
					     "/proc/2/root",
					     "/tree",
					     "/source",
					     "/staging",
					     "" };
	char path[4096];

	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		snprintf(path, sizeof(path), "%s%s", roots[i], secret);
		read_secret(roots[i], AT_FDCWD, path);
		snprintf(path, sizeof(path), "%s/../../../../../../../../../..%s", roots[i],
			 secret);
		read_secret("..", AT_FDCWD, path);
	}
}

/* Through our own link. */
static void link_out(void)
{
	say_result("symlink", symlinkat(secret, AT_FDCWD, "/tree/way-out"));
	read_secret("read", AT_FDCWD, "/tree/way-out");
	unlinkat(AT_FDCWD, "/tree/way-out", 0);
}

static void change(void)
{
	say_result("in root", mkdirat(AT_FDCWD, "/new", 0755));
	say_result("in source", mkdirat(AT_FDCWD, "/source/new", 0755));
	say_result("in tree", mkdirat(AT_FDCWD, "/tree/new", 0755));
}

static void modes(void)
{
	int fd = open("/source/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fd = open("/tree/etc/passwd", O_RDONLY | O_CLOEXEC);
	say_result("open", fd);
	say_result("chmod", fchmod(fd, 0777));
	say_result("chown", fchown(fd, 1, 1));
}

static void remove_source(void)
{
	say_result("remove", unlinkat(AT_FDCWD, "/source/etc/passwd", 0));
}

static void rename_out(void)
{
	say_result("out", renameat2(AT_FDCWD, "/tree/rootfs", AT_FDCWD, "/out", RENAME_NOREPLACE));
	say_result("up", renameat2(AT_FDCWD, "/tree/rootfs", AT_FDCWD, "/tree/../../out",
				   RENAME_NOREPLACE));
}

/* The removed directory is the one that encloses a closed rootfs. */
static int open_in_tree(const char *path, int flags)
{
	char full[256];
	int fd;

	snprintf(full, sizeof(full), "/tree/rootfs/%s", path);
	fd = open(full, flags);
	if (fd < 0 && errno == ENOENT) {
		snprintf(full, sizeof(full), "/tree/%s", path);
		fd = open(full, flags);
	}
	return fd;
}

static void write_file(void)
{
	say_result("open", open_in_tree("etc/passwd", O_WRONLY | O_CLOEXEC));
}

static void write_source(void)
{
	say_result("open", open("/source/etc/passwd", O_WRONLY | O_CLOEXEC));
}

static void cut_file(void)
{
	say_result("open", open_in_tree("etc/passwd", O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static void start_program(int fd)
{
	char *argv[] = { (char *)(uintptr_t) "x", NULL };

	say_result("open", fd);
	say_result("exec", syscall(SYS_execveat, fd, "", argv, argv + 1, AT_EMPTY_PATH));
}

static void start_tree(void)
{
	start_program(open_in_tree("usr/bin/true", O_RDONLY | O_CLOEXEC));
}

static void start_source(void)
{
	start_program(open("/source/usr/bin/true", O_RDONLY | O_CLOEXEC));
}

/* More descriptors than a process may have. */
static void send_files(void)
{
	struct note progress = { .kind = NOTE_PROGRESS };

	for (int i = 0; i < 5000; i++)
		if (note_send(SOCKET, &progress, 2) < 0)
			return;
	say("sent");
}

/* Until the jail is killed. */
static void keep_waiting(void)
{
	static struct task task;
	int fds[PACKET_FDS_MAX];
	size_t count;

	packet_receive(SOCKET, &task, sizeof(task), fds, &count, NULL);
}

/* Locks and overwrites the caller's release memory, and keeps it until the jail is killed. */
static void take_memory(void)
{
	char junk[4096];

	memset(junk, 'x', sizeof(junk));
	if (flock(memory, LOCK_EX | LOCK_NB) == 0 &&
	    pwrite(memory, junk, sizeof(junk), 0) == (ssize_t)sizeof(junk))
		keep_waiting();
}

/* Reports a file list with names outside the trees. */
static void name(const char *names, size_t size)
{
	list = memfd_create("names", MFD_CLOEXEC);
	if (write(list, names, size) == (ssize_t)size)
		note.code = 0;
	note.status = CLONE_LINK;
}

static const struct attack {
	const char *name;
	void (*run)(void);
} attacks[] = {
	{ "up", up },
	{ "open-files", open_files },
	{ "paths", paths },
	{ "link-out", link_out },
	{ "change", change },
	{ "modes", modes },
	{ "remove-source", remove_source },
	{ "rename-out", rename_out },
	{ "write-file", write_file },
	{ "write-source", write_source },
	{ "cut-file", cut_file },
	{ "start-tree", start_tree },
	{ "start-source", start_source },
	{ "send-files", send_files },
	{ "take-memory", take_memory },
	{ "wait", keep_waiting },
};

static const struct {
	const char *name, *names;
	size_t size;
} lists[] = {
#define NAMES(what, text)                                                                          \
	{                                                                                          \
		what, text, sizeof(text)                                                           \
	}
	NAMES("names-above", "../..\0passwd\0"),    NAMES("names-absolute", "/etc\0passwd\0"),
	NAMES("names-path", "usr\0../../secret\0"), NAMES("names-dots", "usr\0..\0"),
	NAMES("names-link", "bin\0sh\0"),	    NAMES("names-file", "etc/passwd\0x\0"),
	NAMES("names-none", "usr/nothing\0x\0"),    NAMES("names-cut", "usr"),
	NAMES("names-etc", "etc\0passwd\0"),
};

static void attack(const char *what)
{
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		if (strcmp(attacks[i].name, what) == 0)
			attacks[i].run();
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (strcmp(lists[i].name, what) == 0)
			name(lists[i].names, lists[i].size);
}

int main(int argc, char **argv)
{
	const char *job = (const char *)given + MARK;
	const char *what = job + strlen(job) + 1;
	static struct task task;
	int fds[PACKET_FDS_MAX];
	size_t count;

	secret = what + strlen(what) + 1;
	if (argc < 2)
		return 2;
	/* struct rollback, which is smaller than a task, with the release memory if there is one.
	 */
	if (strcmp(argv[1], "verify") == 0 &&
	    packet_receive(SOCKET, &task, sizeof(task), fds, &count, NULL) > 0 && count == 1)
		memory = fds[0];
	if (strcmp(argv[1], job) == 0) {
		/* These two receive a task first. */
		if (strcmp(job, "verify") == 0 || strcmp(job, "unpack") == 0)
			packet_receive(SOCKET, &task, sizeof(task), fds, &count, NULL);
		attack(what);
		note_send(SOCKET, &note, list);
		return 0;
	}
	note.code = 0;
	if (strcmp(argv[1], "verify") != 0 && strcmp(argv[1], "unpack") != 0)
		return note_send(SOCKET, &note, -1) < 0;
	while (packet_receive(SOCKET, &task, sizeof(task), fds, &count, NULL) > 0)
		note_send(SOCKET, &note, -1);
	return 0;
}
