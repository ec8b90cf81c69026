/* frontend/cluster/lease.c: which of several processes holds a lease. The calls that --wrap
 * replaces (tests/meson.build) behave like a file server with a clock of its own, or fail. */
#include "frontend/cluster/lease.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "scratch.h"
#include "tap.h"

static char made[SCRATCH_SIZE] = "lease";
static int dir = -1;
static struct lease leases[2]; /* of processes A and B */

/* --- the file server ------------------------------------------------------------------------ */

static struct {
	long ahead;	  /* seconds, of this machine's clock */
	bool lies;	  /* the next rename succeeds and reports ENOENT */
	bool lies_unlink; /* the same for the next unlink */
	bool no_time;	  /* the next change of a file's time fails */
	void (*early)(void), (*before)(void), (*after)(void); /* see rows */
	unsigned int clocks; /* calls that read this machine's clock */
} server;

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	server.clocks++;
	return __real_clock_gettime(id, now);
}

time_t __wrap_time(time_t *now);
time_t __wrap_time(time_t *now)
{
	server.clocks++;
	if (now)
		*now = 0;
	return 0;
}

int __wrap_gettimeofday(struct timeval *now, void *zone);
int __wrap_gettimeofday(struct timeval *now, void *zone)
{
	(void)zone;
	server.clocks++;
	*now = (struct timeval){ 0 };
	return 0;
}

static void server_times(long ago, struct timespec times[static 2])
{
	__real_clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec += server.ahead - ago;
	times[1] = times[0];
}

int __real_utimensat(int from, const char *name, const struct timespec *times, int flags);
int __wrap_utimensat(int from, const char *name, const struct timespec *times, int flags);
int __wrap_utimensat(int from, const char *name, const struct timespec *times, int flags)
{
	void (*early)(void) = server.early;
	struct timespec now[2];

	server.early = NULL;
	if (early)
		early();
	if (server.no_time) {
		server.no_time = false;
		errno = EROFS;
		return -1;
	}
	server_times(0, now);
	return __real_utimensat(from, name, times ? times : now, flags);
}

int __real_openat64(int from, const char *name, int flags, ...);
int __wrap_openat64(int from, const char *name, int flags, ...);
int __wrap_openat64(int from, const char *name, int flags, ...)
{
	struct timespec now[2];
	mode_t mode = 0;
	va_list ap;
	int fd;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	fd = __real_openat64(from, name, flags, mode);
	server_times(0, now);
	if (fd >= 0 && flags & O_CREAT)
		futimens(fd, now);
	return fd;
}

int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	void (*before)(void) = server.before, (*after)(void) = server.after;
	int result, number;

	server.before = server.after = NULL;
	if (before)
		before();
	result = __real_renameat(from, old, to, new);
	number = errno;
	if (after)
		after();
	errno = number;
	if (!server.lies)
		return result;
	server.lies = false;
	errno = ENOENT;
	return -1;
}

int __real_unlinkat(int from, const char *name, int flags);
int __wrap_unlinkat(int from, const char *name, int flags);
int __wrap_unlinkat(int from, const char *name, int flags)
{
	int result = __real_unlinkat(from, name, flags);

	if (!server.lies_unlink)
		return result;
	server.lies_unlink = false;
	errno = ENOENT;
	return -1;
}

/* --- steps ---------------------------------------------------------------------------------- */

static void b_takes(void)
{
	lease_take(dir, &leases[1], NULL);
}

/* Steps of process A or B:
 *
 *   A+  takes it      A=  renews it      A-  drops it
 *   A!  is refused    Ax  learns that it no longer holds it
 *   Ae  cannot renew for another reason
 *
 * and of the file server:
 *
 *   sN      the file's time is N seconds ago
 *   lie     the next rename succeeds and reports ENOENT; unlink: the same
 *   early   B tries to take it before the next change of a time
 *   before  B tries to take it before the next rename; after: after it
 *   no      the next change of a time fails
 *   clean   nothing but the lease is in the directory */
static const struct {
	const char *claim, *steps;
} rows[] = {
	{ "a free lease is taken", "A+ A= clean" },
	{ "a lease that is held is refused", "A+ B! A= B!" },
	{ "a dropped lease is free", "A+ A- B+ B= clean" },
	{ "the same process takes it again", "A+ A- A+ A= clean" },
	{ "nobody renews what it dropped", "A+ A- Ax" },
	{ "it is held for a minute without a sign of life", "A+ s59 B! A=" },
	{ "it is free after a minute", "A+ s60 B+ B= clean" },
	{ "a holder learns that it was replaced", "A+ s61 B+ Ax B= clean" },
	{ "a holder that was replaced drops nothing", "A+ s61 B+ A- B= A! clean" },
	{ "a holder that was replaced does not keep the other one's lease alive",
	  "A+ s61 B+ Ax s61 A+ Bx" },
	{ "a holder that wakes up in time keeps it", "A+ s61 A= B! clean" },
	{ "a holder that wakes up just then keeps it", "A+ s61 before A= Bx clean" },
	{ "a holder that wakes up too late loses it", "A+ s61 early Ax B= clean" },
	{ "a process that is replaced takes it back", "A+ s61 B+ s61 A+ Bx A= clean" },
	{ "it is renewed many times", "A+ A= A= A= A= A= A= A= A= A= A= A= A= B! clean" },
	{ "a free lease is taken, however old", "s999999 A+ B! clean" },
	{ "of two that take a free one at once, one gets it", "before A! B= clean" },
	{ "of two that take an abandoned one at once, the first gets it",
	  "A+ s61 early A! B= clean" },
	{ "of two that take an abandoned one at once, the second one does not",
	  "A+ s61 before A+ A= Bx clean" },
	{ "one that was just taken is not abandoned", "s999999 after A+ Bx A= clean" },
	{ "a time in the future is a sign of life", "A+ s-3600 B!" },
	{ "taken, though rename() says no", "lie A+ A= B! clean" },
	{ "renewed, though rename() says no", "A+ lie A= A= B! clean" },
	{ "dropped, though rename() says no", "A+ lie A- B+ clean" },
	{ "taken, though unlink() says no", "unlink A+ A= clean" },
	{ "a failure to write is no other process", "A+ no Ae A= clean" },
};

/* The name of the lease's file, and whether nothing else is in the directory. */
static bool file_of_lease(char name[static 256])
{
	char command[256];
	FILE *list;
	int files = 0;

	snprintf(command, sizeof(command), "ls -A %s", made);
	list = popen(command, "r");
	*name = '\0';
	while (list && fscanf(list, "%255s", name) == 1)
		files++;
	if (list)
		pclose(list);
	return files == 1 && strncmp(name, "watcher.", 8) == 0;
}

static bool ages(long ago)
{
	struct timespec times[2];
	char name[256];

	file_of_lease(name);
	server_times(ago, times);
	return __real_utimensat(dir, name, times, 0) == 0;
}

static bool acts(struct lease *lease, char what)
{
	struct error *err = NULL;
	enum error_code code;

	if (what == '-') {
		lease_drop(dir, lease);
		return true;
	}
	if (what == '+' || what == '!')
		lease_take(dir, lease, &err);
	else
		lease_renew(dir, lease, &err);
	code = err ? err->code : ERR_NONE;
	error_free(&err);
	return code == (what == '!' || what == 'x' ? ERR_BUSY
			: what == 'e'		   ? ERR_SYSTEM
						   : ERR_NONE);
}

static bool step_holds(const char *step)
{
	char name[256];

	if (*step == 'A' || *step == 'B')
		return acts(&leases[*step - 'A'], step[1]);
	if (*step == 's')
		return ages(strtol(step + 1, NULL, 10));
	if (strcmp(step, "clean") == 0)
		return file_of_lease(name);
	server.lies |= strcmp(step, "lie") == 0;
	server.lies_unlink |= strcmp(step, "unlink") == 0;
	server.no_time |= strcmp(step, "no") == 0;
	if (strcmp(step, "early") == 0)
		server.early = b_takes;
	if (strcmp(step, "before") == 0)
		server.before = b_takes;
	if (strcmp(step, "after") == 0)
		server.after = b_takes;
	return true;
}

static void begin(long ahead)
{
	if (dir >= 0)
		close(dir);
	dir_remove(AT_FDCWD, made);
	memset(&server, 0, sizeof(server));
	memset(leases, 0, sizeof(leases));
	server.ahead = ahead;
	if (mkdir(made, 0700) < 0 || (dir = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    lease_make(dir, NULL) < 0)
		abort();
}

/* The machine's clock is not read, and the server's may be an hour ahead of it or behind. */
static void check_rows(void)
{
	static const struct {
		const char *what;
		long ahead;
	} clocks[] = { { "", 0 },
		       { ", the server's clock an hour ahead", 3600 },
		       { ", the server's clock an hour behind", -3600 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t j = 0; j < sizeof(clocks) / sizeof(*clocks); j++) {
			char text[256], *rest = NULL, *step;
			bool good = true;

			begin(clocks[j].ahead);
			snprintf(text, sizeof(text), "%s", rows[i].steps);
			for (step = strtok_r(text, " ", &rest); step && (good = step_holds(step));)
				step = strtok_r(NULL, " ", &rest);
			tap_check(good && server.clocks == 0, "%s%s", rows[i].claim,
				  clocks[j].what);
			if (!good)
				printf("# at step %s\n", step);
		}
}

/* --- messages and names --------------------------------------------------------------------- */

static const struct {
	const char *claim, *file; /* instead of watcher.none; "": no file at all */
	enum error_code code;
	const char *message;
} files[] = {
	{ "the message names the process and the machine", "watcher.node-7.123.0badcafe", ERR_BUSY,
	  "process 123 on node-7 watches this run; end it first, or wait for 60 s if that machine "
	  "is "
	  "down" },
	{ "the message is the same after renewals", "watcher.node-7.123.0badcafe.99", ERR_BUSY,
	  "process 123 on node-7 watches this run; end it first, or wait for 60 s if that machine "
	  "is "
	  "down" },
	{ "a lease that is just moving", "", ERR_BUSY,
	  "another process has just begun to watch this run" },
	{ "a name with a terminal's commands is no lease", "watcher.\033[2J.1.2", ERR_BUSY,
	  "another process has just begun to watch this run" },
	{ "a name without a process", "watcher.x", ERR_BUSY,
	  "another process has just begun to watch this run" },
	{ "another file is no lease", "watcher", ERR_BUSY,
	  "another process has just begun to watch this run" },
};

static void check_messages(void)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct error *err = NULL;
		bool busy;

		begin(0);
		if (*files[i].file)
			__real_renameat(dir, "watcher.none", dir, files[i].file);
		else
			__real_unlinkat(dir, "watcher.none", 0);
		busy = lease_take(dir, &leases[0], &err) < 0 && err->code == files[i].code &&
		       tap_same(error_text(err), files[i].message);
		tap_check(busy && !*leases[0].name, "%s", files[i].claim);
		if (!busy)
			printf("# %s\n", err ? error_text(err) : "taken");
		error_free(&err);
	}
}

static void check_faster(void)
{
	struct error *err = NULL;
	char process[32];

	begin(0);
	acts(&leases[0], '+');
	ages(61);
	server.early = b_takes;
	snprintf(process, sizeof(process), "process %d on ", (int)getpid());
	tap_check(lease_take(dir, &leases[0], &err) < 0 && strstr(error_text(err), process),
		  "the message names the process that was faster");
	error_free(&err);
}

static void check_gone(void)
{
	struct error *err = NULL;

	begin(0);
	acts(&leases[0], '+');
	dir_remove(AT_FDCWD, made);
	tap_check(lease_take(dir, &leases[1], &err) < 0 && err->code == ERR_SYSTEM,
		  "a directory that is gone is no busy one");
	error_free(&err);
	tap_check(lease_renew(dir, &leases[0], &err) < 0 && err->code != ERR_NONE,
		  "in a directory that is gone nothing is renewed");
	error_free(&err);
	lease_drop(dir, &leases[0]);
	lease_drop(dir, &leases[0]);
	tap_check(!*leases[0].name, "a lease may be dropped twice");
}

int main(void)
{
	if (!scratch_make(made))
		return 1;
	check_rows();
	check_messages();
	check_faster();
	check_gone();
	close(dir);
	dir_remove(AT_FDCWD, made);
	return tap_done();
}
