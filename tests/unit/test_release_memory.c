/* lib/release_memory.c: stores the newest date of each key, whatever happens to the file. */
#include "lib/release_memory.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/pwrite_all.h"
#include "lib/write_all.h"
#include "tap.h"

#define LINE 512
#define NOW 1800000000

static char path[] = "/dev/shm/rootlet-test-memory.XXXXXX";

static int fresh(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		abort();
	return fd;
}

/* Returns 0, 1 or the negated error code. */
static int take(int fd, const char *key, int64_t date, int64_t now, int64_t *newest)
{
	_cleanup_error_ struct error *err = NULL;
	int result = release_memory_take(fd, path, key, date, now, newest, &err);

	return result < 0 && err ? -(int)err->code : result;
}

/* Each row of steps uses a new memory. */
static void check_steps(void)
{
	static const struct {
		const char *what;
		struct {
			const char *key;
			int64_t date, now;
			int result;
			int64_t newest; /* if RESULT is 1 */
		} steps[5];
	} rows[] = {
		{ "the first", { { "jammy http://a", 100, NOW, 0, 0 } } },
		{ "the same date again",
		  { { "jammy http://a", 100, NOW, 0, 0 }, { "jammy http://a", 100, NOW, 0, 0 } } },
		{ "newer, older and equal dates",
		  { { "jammy http://a", 100, NOW, 0, 0 },
		    { "jammy http://a", 200, NOW, 0, 0 },
		    { "jammy http://a", 199, NOW, 1, 200 },
		    { "jammy http://a", 200, NOW, 0, 0 } } },
		{ "an older date changes nothing",
		  { { "jammy http://a", 200, NOW, 0, 0 },
		    { "jammy http://a", 100, NOW, 1, 200 },
		    { "jammy http://a", 150, NOW, 1, 200 } } },
		{ "another mirror, another suite, a longer one",
		  { { "jammy http://a", 200, NOW, 0, 0 },
		    { "jammy http://b", 100, NOW, 0, 0 },
		    { "jammy-updates http://a", 100, NOW, 0, 0 },
		    { "jammy http://a/", 100, NOW, 0, 0 },
		    { "jammy http://a", 199, NOW, 1, 200 } } },
		{ "a clock that goes back",
		  { { "jammy http://a", 100, NOW, 0, 0 },
		    { "jammy http://a", 200, NOW - 1000, 0, 0 },
		    { "jammy http://a", 300, NOW - 2000, 0, 0 },
		    { "jammy http://a", 299, NOW - 3000, 1, 300 } } },
		{ "the same date, days later",
		  { { "jammy http://a", 100, NOW, 0, 0 },
		    { "jammy http://a", 100, NOW + 1000000, 0, 0 },
		    { "jammy http://a", 99, NOW, 1, 100 } } },
		{ "no key", { { "", 100, NOW, -ERR_INPUT, 0 } } },
		{ "a key with a newline", { { "jammy\n", 100, NOW, -ERR_INPUT, 0 } } },
		{ "a key that is not ASCII", { { "jammy \u00e4", 100, NOW, -ERR_INPUT, 0 } } },
		{ "a key that ends with a blank", { { "jammy ", 100, NOW, -ERR_INPUT, 0 } } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool good = true;

		close(fresh());
		for (size_t j = 0; j < 5 && rows[i].steps[j].key; j++) {
			int64_t newest = 0;

			/* Reopened each time, as if by another process. */
			_cleanup_close_ int again = open(path, O_RDWR | O_CLOEXEC);

			good = good &&
			       take(again, rows[i].steps[j].key, rows[i].steps[j].date,
				    rows[i].steps[j].now, &newest) == rows[i].steps[j].result &&
			       newest == rows[i].steps[j].newest;
		}
		tap_check(good, "memory: %s", rows[i].what);
	}
}

static void check_longest_key(void)
{
	_cleanup_close_ int fd = fresh();
	char key[RELEASE_KEY_MAX + 2];
	int64_t newest = 0;

	memset(key, 'x', sizeof(key));
	key[RELEASE_KEY_MAX + 1] = '\0';
	tap_check(take(fd, key, 100, NOW, &newest) == -ERR_INPUT, "an overlong key is refused");
	key[RELEASE_KEY_MAX] = '\0';
	tap_check(take(fd, key, INT64_MAX / 2, INT64_MAX / 2, &newest) == 0 &&
			  take(fd, key, 100, NOW, &newest) == 1 && newest == INT64_MAX / 2,
		  "the longest key with the longest dates is stored");
}

static void spoil(int fd, off_t at, char byte)
{
	if (pwrite_all(fd, &byte, 1, at) < 0)
		abort();
}

/* After dates 100 and 200, the memory has a line for each. Then it is damaged: */
static void check_damage(void)
{
	static const struct {
		const char *what;
		int first, second; /* changed byte of a line; -1: none, -2: all zeroed */
		off_t size;	   /* truncated to this; 0: not truncated */
		int result;	   /* for date 150 */
		int64_t newest;
	} rows[] = {
		{ "nothing", -1, -1, 0, 1, 200 },
		{ "the older line is damaged", 40, -1, 0, 1, 200 },
		{ "the newer line is damaged: the older one counts", -1, 40, 0, 0, 0 },
		{ "both lines are damaged", 40, 40, 0, -ERR_HOST, 0 },
		{ "both lines, in their keys", 80, 80, 0, -ERR_HOST, 0 },
		{ "both lines, in their checksums", 20, 20, 0, -ERR_HOST, 0 },
		{ "both lines, at their ends", LINE - 1, LINE - 1, 0, -ERR_HOST, 0 },
		{ "an interrupted first write", 40, -2, 0, 0, 0 },
		{ "the newer line is truncated", -1, -1, LINE + 100, 0, 0 },
		{ "the file is empty", -1, -1, -1, 0, 0 },
		{ "the file is far too long", -1, -1, 2 * LINE * RELEASE_MEMORY_ENTRIES + 1,
		  -ERR_HOST, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_close_ int fd = fresh();
		char zeros[LINE] = "";
		int64_t newest = 0;

		/* The first date goes to the entry's second line; the other line counts until then.
		 */
		take(fd, "jammy http://a", 50, NOW, &newest);
		take(fd, "jammy http://a", 100, NOW, &newest);
		take(fd, "jammy http://a", 200, NOW, &newest);
		for (int line = 0; line < 2; line++) {
			bool newer = line == 1;
			int byte = newer ? rows[i].second : rows[i].first;

			if (byte >= 0)
				spoil(fd, line * LINE + byte, '\1');
			if (byte == -2 && pwrite_all(fd, zeros, LINE, line * LINE) < 0)
				abort();
		}
		if (rows[i].size && ftruncate(fd, rows[i].size < 0 ? 0 : rows[i].size) < 0)
			abort();
		tap_check(take(fd, "jammy http://a", 150, NOW, &newest) == rows[i].result &&
				  newest == rows[i].newest,
			  "damage: %s", rows[i].what);
	}
}

/* Something other than a file is refused and not initialized. */
static void check_kinds(void)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	int64_t newest;

	close(fresh());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	tap_check(take(null, "jammy http://a", 1, NOW, &newest) < 0, "a device is refused");
	tap_check(take(fd, "jammy http://a", 1, NOW, &newest) == -ERR_SYSTEM,
		  "an unwritable memory is an error");
}

/* Its size is bounded; the least recently seen entry is replaced. */
static void check_bound(void)
{
	_cleanup_close_ int fd = fresh();
	struct stat st;
	int64_t newest = 0;
	char key[32];

	for (int i = 0; i <= RELEASE_MEMORY_ENTRIES; i++) {
		snprintf(key, sizeof(key), "suite%d http://a", i);
		if (take(fd, key, 200, NOW + i, &newest) != 0)
			return tap_check(false, "entry %d", i);
	}
	tap_check(fstat(fd, &st) == 0 && st.st_size <= 2 * LINE * RELEASE_MEMORY_ENTRIES,
		  "the memory is bounded");
	tap_check(take(fd, "suite1 http://a", 100, NOW, &newest) == 1 &&
			  take(fd, key, 100, NOW, &newest) == 1,
		  "recently seen entries stay");
	tap_check(take(fd, "suite0 http://a", 100, NOW + 5000, &newest) == 0,
		  "the least recently seen entry is gone");
}

#define PROCESSES 8
#define ROUNDS 40

/* The newest date survives any number of simultaneous writers. */
static void check_at_once(void)
{
	_cleanup_close_ int fd = fresh();
	int64_t newest = 0;
	bool good = true;
	int status;

	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			int own = open(path, O_RDWR | O_CLOEXEC);

			for (int j = 0; j < ROUNDS; j++)
				if (take(own, "jammy http://a", 1000 + (j * 7919 + i * 31) % 5003,
					 NOW, &newest) < 0)
					_exit(1);
			_exit(take(own, "jammy http://a", 100000 + i, NOW, &newest) < 0);
		}
	while (wait(&status) > 0)
		good = good && status == 0;
	tap_check(good && take(fd, "jammy http://a", 1, NOW, &newest) == 1 &&
			  newest == 100000 + PROCESSES - 1,
		  "%d simultaneous processes: the newest date stays", PROCESSES);
}

/* A process killed at any moment leaves either the old or the new state. */
static void check_kills(void)
{
	_cleanup_close_ int fd = fresh();
	bool good = true;

	fflush(stdout);
	for (int i = 1; i <= 20 && good; i++) {
		int64_t newest = 0, ignored;
		pid_t pid;

		take(fd, "jammy http://a", 1000 * i, NOW, &newest);
		pid = fork();
		if (pid == 0)
			for (int64_t date = 1000 * i;; date++)
				take(open(path, O_RDWR | O_CLOEXEC), "jammy http://a", date, NOW,
				     &ignored);
		usleep((useconds_t)(300 * i));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		good = take(fd, "jammy http://a", 1, NOW, &newest) == 1 && newest >= 1000 * i;
		if (ftruncate(fd, 0) < 0)
			abort();
	}
	tap_check(good, "20 kills during writes lose nothing");
}

/* Readers also lock out writers. */
static void check_lock(void)
{
	int fd = fresh(), ready[2];
	int64_t before;
	int64_t newest;
	char byte;
	pid_t pid;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		int other = open(path, O_RDWR | O_CLOEXEC);

		if (flock(other, LOCK_SH) < 0 || write_all(ready[1], "", 1) < 0)
			_exit(1);
		poll(NULL, 0, 300);
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		abort();
	before = clock_milliseconds();
	tap_check(take(fd, "jammy http://a", 100, NOW, &newest) == 0, "a locked memory is updated");
	tap_check(clock_milliseconds() - before > 150, "the update waits for the lock");
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	close(fd);
}

static void check_message(void)
{
	_cleanup_error_ struct error *err = NULL;

	release_memory_refuse("jammy-updates", 1590969600, 1783764997, RELEASE_REMEDY, &err);
	tap_check(err && err->code == ERR_TRUST && strstr(err->message, "jammy-updates") &&
			  strstr(err->message, "Mon, 01 Jun 2020 00:00:00 UTC") &&
			  strstr(err->message, "Sat, 11 Jul 2026 10:16:37 UTC") &&
			  strstr(err->message, "--allow-older-release"),
		  "the refusal has both dates and the option");
}

int main(void)
{
	int fd = mkstemp(path);

	close(fd);
	check_steps();
	check_longest_key();
	check_damage();
	check_kinds();
	check_bound();
	check_at_once();
	check_kills();
	check_lock();
	check_message();
	unlink(path);
	return tap_done();
}
