#include "frontend/cluster/lease.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define PREFIX "watcher."
#define FREE PREFIX "none"
#define ALLOWED "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define HOST_MOST 64
#define FIND_TRIES 3 /* a list may lack a file that is being renamed */

static int lease_broken(const char *what, struct error **err)
{
	return error_errno(err, ERR_SYSTEM, "cannot %s the shared directory", what);
}

/* --- the file ------------------------------------------------------------------------------- */

/* This machine's name, as a part of a file name. */
static void lease_host(char host[static HOST_MOST + 1])
{
	*host = '\0';
	gethostname(host, HOST_MOST);
	host[HOST_MOST] = '\0';
	for (char *p = host; p[strspn(p, ALLOWED)];)
		p[strspn(p, ALLOWED)] = '-';
}

/* "watcher.HOST.PID.RANDOM" */
static int lease_name(struct lease *lease, struct error **err)
{
	char host[HOST_MOST + 1];
	uint32_t random;

	lease_host(host);
	if (getrandom(&random, sizeof(random), 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot get a random number");
	*lease = (struct lease){ 0 };
	snprintf(lease->name, sizeof(lease->name), PREFIX "%s.%d.%08x", host, (int)getpid(),
		 random);
	lease->length = strlen(lease->name);
	return 0;
}

/* "" if no such file is in the list. Names are not trusted. */
static int lease_look(int dir, char found[static NAME_MAX + 1], struct error **err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed;
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	*found = '\0';
	if (!stream) {
		lease_broken("read", err);
		closep(&fd);
		return -1;
	}
	while (!*found && (errno = 0, entry = readdir(stream))) {
		const char *name = entry->d_name;

		if (strncmp(name, PREFIX, strlen(PREFIX)) == 0 && !name[strspn(name, ALLOWED ".")])
			snprintf(found, NAME_MAX + 1, "%s", name);
	}
	failed = *found ? 0 : errno;
	closedir(stream);
	errno = failed;
	return failed ? lease_broken("read", err) : 0;
}

static int lease_find(int dir, char found[static NAME_MAX + 1], struct error **err)
{
	*found = '\0';
	for (int i = 0; i < FIND_TRIES && !*found; i++)
		if (lease_look(dir, found, err) < 0)
			return -1;
	return 0;
}

/* Gives the lease a new name. Touches it first, so that it never looks abandoned under that name.
 * Returns 1, or 0 if it no longer has the name FROM. */
static int lease_move(int dir, const char *from, const char *to, struct error **err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (utimensat(dir, from, NULL, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return lease_broken("write to", err);
	if (renameat(dir, from, dir, to) == 0)
		return 1;
	if (errno != ENOENT)
		return lease_broken("write to", err);
	/* A repeated NFS request reports ENOENT although it succeeded. */
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstatat(fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return fd >= 0 && errno == ENOENT ? 0 : lease_broken("write to", err);
}

int lease_make(int dir, struct error **err)
{
	_cleanup_close_ int fd =
		openat(dir, FREE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? lease_broken("write to", err) : 0;
}

/* --- its age -------------------------------------------------------------------------------- */

/* Reads the file server's clock: the time of a new file. Not O_EXCL: NFS 3 then keeps a random
 * number in the file's times at first. */
static int lease_clock(int dir, const struct lease *lease, time_t *now, struct error **err)
{
	_cleanup_close_ int fd = -1;
	char probe[NAME_MAX + 1];
	struct stat st;

	snprintf(probe, sizeof(probe), ".%.200s", lease->name);
	fd = openat(dir, probe, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &st) < 0 || (unlinkat(dir, probe, 0) < 0 && errno != ENOENT))
		return lease_broken("write to", err);
	*now = st.st_mtime;
	return 0;
}

/* Whether the holder is a process of this machine that has ended. */
static bool lease_ended(const char *holder)
{
	char host[HOST_MOST + 1];
	int pid;

	lease_host(host);
	holder += strlen(PREFIX);
	if (strncmp(holder, host, strlen(host)) != 0 ||
	    sscanf(holder + strlen(host), ".%d.", &pid) != 1)
		return false;
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Whether the holder renewed the lease lately. NFS asks for a file's times when it is opened. */
static bool lease_alive(int dir, const char *holder, time_t now)
{
	_cleanup_close_ int fd =
		openat(dir, holder, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	return !lease_ended(holder) && fd >= 0 && fstat(fd, &st) == 0 &&
	       now - st.st_mtime < LEASE_SECONDS;
}

/* --- taking it ------------------------------------------------------------------------------ */

static int lease_refuse(const char *holder, struct error **err)
{
	const char *host, *pid = NULL;

	if (*holder && strcmp(holder, FREE) != 0) {
		host = holder + strlen(PREFIX);
		pid = strchr(host, '.');
	}
	if (!pid)
		return error_set(err, ERR_BUSY, "another process has just begun to watch this run");
	return error_set(err, ERR_BUSY,
			 "process %.*s on %.*s watches this run; end it first, or wait for %d s if "
			 "that machine is down",
			 (int)strcspn(pid + 1, "."), pid + 1, (int)(pid - host), host,
			 LEASE_SECONDS);
}

int lease_take(int dir, struct lease *lease, struct error **err)
{
	char holder[NAME_MAX + 1];
	struct lease taken;
	int moved = 0;
	time_t now;

	*lease = (struct lease){ 0 };
	if (lease_name(&taken, err) < 0 || lease_clock(dir, &taken, &now, err) < 0 ||
	    lease_find(dir, holder, err) < 0)
		return -1;
	if (*holder && (strcmp(holder, FREE) == 0 || !lease_alive(dir, holder, now))) {
		moved = lease_move(dir, holder, taken.name, err);
		/* If another process was faster, name that one. */
		if (moved < 0 || (moved == 0 && lease_find(dir, holder, err) < 0))
			return -1;
	}
	if (!moved)
		return lease_refuse(holder, err);
	*lease = taken;
	return 0;
}

int lease_renew(int dir, struct lease *lease, struct error **err)
{
	struct lease next = *lease;
	int moved;

	snprintf(next.name + next.length, sizeof(next.name) - next.length, ".%u", ++next.number);
	moved = lease_move(dir, lease->name, next.name, err);
	if (moved > 0)
		*lease = next;
	if (moved == 0)
		error_set(err, ERR_BUSY, "another process watches this run now");
	return moved > 0 ? 0 : -1;
}

void lease_drop(int dir, struct lease *lease)
{
	if (*lease->name)
		renameat(dir, lease->name, dir, FREE);
	*lease = (struct lease){ 0 };
}
