#include "helper/digest.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/hash.h"
#include "helper/processors.h"
#include "helper/tree.h"

#define QUEUE_BYTES (1 << 20)

/* Of a process. Shorter than PIPE_BUF, so that none is in pieces: pipe(7). */
struct found {
	struct note note;
	struct tree_digest digest;
};

_Static_assert(sizeof(struct found) <= 4096, "more than PIPE_BUF");

static void drop(int *fd)
{
	closep(fd);
	*fd = -1;
}

static int add(void *hash, const char *name, const void *value, size_t size)
{
	sha256_update(hash, strlen(name) + 1, (const uint8_t *)name);
	sha256_update(hash, size, value);
	return 0;
}

static int add_content(struct digesting *d, struct sha256_ctx *hash, int fd, const char *path,
		       struct error **err)
{
	static unsigned char data[1 << 17];
	off_t at = 0;
	ssize_t n;

	while ((n = RETRY_ON_EINTR(pread(fd, data, sizeof(data), at))) > 0) {
		sha256_update(hash, (size_t)n, data);
		at += n;
		if (pace_step(&d->pace, err) < 0)
			return -1;
	}
	return n < 0 ? error_errno(err, ERR_SYSTEM, "cannot read /%.300s", path) : 0;
}

int digest_entry(struct digesting *d, const char *path, const struct stat *st, int fd,
		 const char *target, struct error **err)
{
	const uint32_t facts[] = { st->st_mode, st->st_uid, st->st_gid };
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, strlen(path) + 1, (const uint8_t *)path);
	sha256_update(&hash, sizeof(facts), (const uint8_t *)facts);
	if (target)
		sha256_update(&hash, strlen(target) + 1, (const uint8_t *)target);
	if (fd >= 0 && tree_each_attribute(fd, add, &hash) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read the attributes of /%.300s", path);
	if (fd >= 0 && S_ISREG(st->st_mode) && add_content(d, &hash, fd, path, err) < 0)
		return -1;
	hash_end(&hash, sum);
	for (size_t i = 0; i < SHA256_LEN; i++)
		d->digest.sum[i] ^= sum[i];
	d->digest.count++;
	return 0;
}

static int hash_file(struct digesting *d, const char *path, struct error **err)
{
	struct stat st;
	_cleanup_close_ int fd = tree_open_entry(d->tree, path, 0, S_IFREG, path, &st, err);

	return fd < 0 ? -1 : digest_entry(d, path, &st, fd, NULL, err);
}

/* Until the queue is empty and nobody can write to it any more. */
static int hash_queue(struct digesting *d, struct error **err)
{
	char path[PATH_LENGTH_MAX];
	ssize_t n;

	while ((n = RETRY_ON_EINTR(read(d->queue[0], path, sizeof(path) - 1))) > 0) {
		path[n] = '\0';
		if (hash_file(d, path, err) < 0)
			return -1;
	}
	return n < 0 ? error_errno(err, ERR_SYSTEM, "cannot read the names of files") : 0;
}

static _Noreturn void run_process(struct digesting *d, int results)
{
	_cleanup_error_ struct error *err = NULL;
	struct found found = { 0 };

	/* Whoever else held the end to write would keep the queue open for ever. */
	drop(&d->queue[1]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	if (hash_queue(d, &err) < 0)
		note_set_error(&found.note, err);
	found.digest = d->digest;
	_exit(write(results, &found, sizeof(found)) == (ssize_t)sizeof(found) ? 0 : 1);
}

static int start_processes(struct digesting *d, struct error **err)
{
	_cleanup_close_ int results = -1;
	size_t count = processors(DIGEST_PROCESSES_MAX);
	int ends[2];

	if (count == 1)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	d->results = ends[0];
	results = ends[1];
	/* A packet for each write: pipe(2), O_DIRECT. */
	if (pipe2(d->queue, O_CLOEXEC | O_DIRECT) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	fcntl(d->queue[1], F_SETPIPE_SZ, QUEUE_BYTES);
	while (d->count < count - 1) {
		pid_t pid = fork();

		if (pid < 0)
			return error_errno(err, ERR_SYSTEM, "cannot start a process that hashes");
		if (pid == 0)
			run_process(d, results);
		d->processes[d->count++] = pid;
	}
	return fcntl(d->queue[1], F_SETFL, O_NONBLOCK | O_DIRECT) < 0
		       ? error_errno(err, ERR_SYSTEM, "cannot set up a pipe")
		       : 0;
}

int digest_begin(struct digesting *d, const struct pace *pace, int tree, struct error **err)
{
	*d = (struct digesting){
		.pace = *pace,
		.tree = tree,
		.queue = { -1, -1 },
		.results = -1,
	};
	return start_processes(d, err);
}

/* The caller hashes what there is no room for in the queue. */
int digest_file(struct digesting *d, const char *path, struct error **err)
{
	size_t size = strlen(path);

	if (d->count && RETRY_ON_EINTR(write(d->queue[1], path, size)) == (ssize_t)size)
		return 0;
	return hash_file(d, path, err);
}

static int add_found(struct digesting *d, struct error **err)
{
	struct found found;

	if (RETRY_ON_EINTR(read(d->results, &found, sizeof(found))) != (ssize_t)sizeof(found))
		return error_set(err, ERR_SYSTEM, "a process that hashes died");
	if (note_error(&found.note, err) < 0)
		return -1;
	for (size_t i = 0; i < SHA256_LEN; i++)
		d->digest.sum[i] ^= found.digest.sum[i];
	d->digest.count += found.digest.count;
	return 0;
}

int digest_end(struct digesting *d, struct tree_digest *digest, struct error **err)
{
	int r = 0;

	drop(&d->queue[1]);
	if (d->count)
		r = hash_queue(d, err);
	for (size_t i = 0; r == 0 && i < d->count; i++)
		r = add_found(d, err);
	*digest = d->digest;
	digest_abandon(d);
	return r;
}

void digest_abandon(struct digesting *d)
{
	while (d->count) {
		pid_t pid = d->processes[--d->count];

		kill(pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(pid, NULL, 0));
	}
	drop(&d->queue[0]);
	drop(&d->queue[1]);
	drop(&d->results);
}
