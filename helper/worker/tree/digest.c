#include "helper/worker/tree/digest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/worker/entries.h"
#include "helper/worker/processors.h"
#include "helper/worker/tree/walk.h"
#include "lib/hash.h"
#include "lib/write_all.h"
#include "proto/note.h"
#include "proto/task.h"

#define QUEUE_BYTES (1 << 20)
#define ATTRIBUTES_MAX 1024 /* of one file */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* since Linux 6.3; a host can require it: memfd_create(2) */
#endif

typedef uint8_t sum256[SHA256_LEN];

struct digesting {
	int tree;
	int sums;	/* a memfd to which all processes append the hashes of entries; or -1 */
	uint64_t added; /* entries */
	int queue[2];	/* paths, one per packet: the read end, the write end; or -1 */
	int results;	/* the final results of the processes; or -1 */
	pid_t processes[DIGEST_PROCESSES_MAX];
	size_t count;
};

_Static_assert(sizeof(struct note) <= 4096, "a process's result must not exceed PIPE_BUF");

static void drop(int *fd)
{
	closep(fd);
	*fd = -1;
}

/* The length comes first, so that no field can pass for part of another. */
static void digest_add_field(struct sha256_ctx *hash, const void *data, size_t size)
{
	const uint64_t length = size;

	sha256_update(hash, sizeof(length), (const uint8_t *)&length);
	sha256_update(hash, size, data);
}

static int compare_sums(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_LEN);
}

/* One hash of COUNT hashes, in whatever order they were found: sorts them. */
static void hash_sums(sum256 *sums, size_t count, uint8_t sum[static SHA256_LEN])
{
	qsort(sums, count, SHA256_LEN, compare_sums);
	hash_of(sums, count * SHA256_LEN, sum);
}

struct attributes {
	sum256 sums[ATTRIBUTES_MAX];
	size_t count;
};

static int add_attribute(void *context, const char *name, const void *value, size_t size)
{
	struct attributes *a = context;
	struct sha256_ctx hash;

	if (a->count == ATTRIBUTES_MAX) {
		errno = E2BIG;
		return -1;
	}
	sha256_init(&hash);
	digest_add_field(&hash, name, strlen(name));
	digest_add_field(&hash, value, size);
	hash_end(&hash, a->sums[a->count++]);
	return 0;
}

static int add_attributes(struct sha256_ctx *hash, int fd)
{
	static struct attributes a;
	uint8_t sum[SHA256_LEN];

	a.count = 0;
	if (fd >= 0 && tree_each_attribute(fd, add_attribute, &a) < 0)
		return -1;
	hash_sums(a.sums, a.count, sum);
	digest_add_field(hash, sum, sizeof(sum));
	return 0;
}

/* Adds a file's content as a field: its hash, because the length may still change. */
static int add_content(struct sha256_ctx *hash, int fd, const char *path, struct error **err)
{
	static unsigned char data[1 << 17];
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx content;
	off_t at = 0;
	ssize_t n;

	sha256_init(&content);
	while ((n = RETRY_ON_EINTR(pread(fd, data, sizeof(data), at))) > 0) {
		sha256_update(&content, (size_t)n, data);
		at += n;
	}
	if (n < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read /%.300s", path);
	hash_end(&content, sum);
	digest_add_field(hash, sum, sizeof(sum));
	return 0;
}

/* FD is a descriptor of a file or directory, else -1. TARGET is a link's target, else "". */
static int digest_hash_entry(const struct digesting *d, const char *path,
			     const uint32_t facts[static 3], int fd, const char *target,
			     struct error **err)
{
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx hash;

	sha256_init(&hash);
	digest_add_field(&hash, path, strlen(path));
	digest_add_field(&hash, facts, 3 * sizeof(*facts));
	digest_add_field(&hash, target, strlen(target));
	if (add_attributes(&hash, fd) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read the attributes of /%.300s", path);
	if (S_ISREG(facts[0]) && add_content(&hash, fd, path, err) < 0)
		return -1;
	hash_end(&hash, sum);
	if (write_all(d->sums, sum, sizeof(sum)) < 0)
		return error_errno(err, ERR_SPACE, "cannot store the hash of /%.300s", path);
	return 0;
}

static int hash_open(const struct digesting *d, const char *path, mode_t type, struct error **err)
{
	int flags = type == S_IFDIR ? O_DIRECTORY : 0;
	struct stat st;
	_cleanup_close_ int fd = tree_open_entry(d->tree, path, flags, type, path, &st, err);

	return fd < 0 ? -1
		      : digest_hash_entry(d, path, (uint32_t[]){ st.st_mode, st.st_uid, st.st_gid },
					  fd, "", err);
}

/* Hashes files until the queue is empty and nobody can write to it any longer. */
static int hash_queue(struct digesting *d, struct error **err)
{
	char path[PATH_LENGTH_MAX];
	ssize_t n;

	while ((n = RETRY_ON_EINTR(read(d->queue[0], path, sizeof(path) - 1))) > 0) {
		path[n] = '\0';
		if (hash_open(d, path, S_IFREG, err) < 0)
			return -1;
	}
	return n < 0 ? error_errno(err, ERR_SYSTEM, "cannot read the names of files") : 0;
}

static _Noreturn void run_process(struct digesting *d, int results)
{
	_cleanup_error_ struct error *err = NULL;
	struct note note = { 0 };

	/* Any process that held the write end would keep the queue open forever. */
	drop(&d->queue[1]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	if (hash_queue(d, &err) < 0)
		note_set_error(&note, err);
	_exit(write(results, &note, sizeof(note)) == (ssize_t)sizeof(note) ? 0 : 1);
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
	/* One packet per write: pipe(2), O_DIRECT. */
	if (pipe2(d->queue, O_CLOEXEC | O_DIRECT) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
	fcntl(d->queue[1], F_SETPIPE_SZ, QUEUE_BYTES);
	while (d->count < count - 1) {
		pid_t pid = fork();

		if (pid < 0)
			return error_errno(err, ERR_SYSTEM, "cannot start a hashing process");
		if (pid == 0)
			run_process(d, results);
		d->processes[d->count++] = pid;
	}
	return fcntl(d->queue[1], F_SETFL, O_NONBLOCK | O_DIRECT) < 0
		       ? error_errno(err, ERR_SYSTEM, "cannot set up a pipe")
		       : 0;
}

/* Append mode: processes that share a file position could overwrite each other's hashes. */
static int open_sums(void)
{
	_cleanup_close_ int fd = memfd_create("sums", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("sums", MFD_CLOEXEC);
	return fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0 ? -1 : steal_fd(&fd);
}

/* If the queue is full, this process hashes the file itself. */
static int digest_add_file(struct digesting *d, const char *path, struct error **err)
{
	size_t size = strlen(path);

	if (d->count && RETRY_ON_EINTR(write(d->queue[1], path, size)) == (ssize_t)size)
		return 0;
	return hash_open(d, path, S_IFREG, err);
}

static int add_link(const struct digesting *d, int directory, const char *name, const char *path,
		    const uint32_t facts[static 3], struct error **err)
{
	char target[PATH_LENGTH_MAX];
	ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

	if (length < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read the link /%.300s", path);
	target[length] = '\0';
	return digest_hash_entry(d, path, facts, -1, target, err);
}

static int visit_digest(struct walk *w, int directory, const char *name, const struct statx *st)
{
	const uint32_t facts[] = { st->stx_mode, st->stx_uid, st->stx_gid };
	struct digesting *d = w->context;

	if (w->cut)
		return error_set(&w->error, ERR_SYSTEM, "a path is too long: /%.300s", w->path);
	/* Bounds the memory that all entries take. */
	if (d->added++ == DIGEST_ENTRIES_MAX)
		return error_set(&w->error, ERR_INPUT, "the tree has more than %" PRIu64 " files",
				 DIGEST_ENTRIES_MAX);
	if (S_ISREG(st->stx_mode))
		return digest_add_file(d, w->path, &w->error);
	if (S_ISDIR(st->stx_mode))
		return hash_open(d, w->path, S_IFDIR, &w->error);
	if (S_ISLNK(st->stx_mode))
		return add_link(d, directory, name, w->path, facts, &w->error);
	return digest_hash_entry(d, w->path, facts, -1, "", &w->error);
}

/* The tree's own directory, without its mode. */
static int add_top(struct digesting *d, struct error **err)
{
	struct stat st;

	d->added++;
	if (fstat(d->tree, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat the tree");
	return digest_hash_entry(d, "", (uint32_t[]){ S_IFDIR, st.st_uid, st.st_gid }, d->tree, "",
				 err);
}

static int hear_process(const struct digesting *d, struct error **err)
{
	struct note note;

	if (RETRY_ON_EINTR(read(d->results, &note, sizeof(note))) != (ssize_t)sizeof(note))
		return error_set(err, ERR_SYSTEM, "a hashing process died");
	return note_error(&note, err);
}

/* Every entry that was added must have left its hash. */
static int hash_tree(const struct digesting *d, struct tree_digest *digest, struct error **err)
{
	const size_t size = (size_t)d->added * SHA256_LEN;
	struct stat st;
	void *sums;

	if (fstat(d->sums, &st) < 0 || st.st_size != (off_t)size)
		return error_set(err, ERR_SYSTEM, "not every file was hashed");
	*digest = (struct tree_digest){ .count = d->added };
	if (size == 0)
		return 0;
	sums = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, d->sums, 0);
	if (sums == MAP_FAILED)
		return error_errno(err, ERR_SPACE, "cannot sort the hashes of files");
	hash_sums(sums, (size_t)d->added, digest->sum);
	munmap(sums, size);
	return 0;
}

static void end_processes(struct digesting *d)
{
	while (d->count) {
		pid_t pid = d->processes[--d->count];

		kill(pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(pid, NULL, 0));
	}
	drop(&d->queue[0]);
	drop(&d->queue[1]);
	drop(&d->results);
	drop(&d->sums);
}

static int digest_tasks_run(struct digesting *d, struct tree_digest *digest, struct error **err)
{
	struct walk w = { .visit = visit_digest, .context = d, .skip = OWN_DIR, .top = -1 };
	int r = 0;

	if (walk(&w, d->tree) < 0)
		return walk_explain(&w, "read the tree", err);
	if (add_top(d, err) < 0)
		return -1;
	drop(&d->queue[1]);
	if (d->count)
		r = hash_queue(d, err);
	for (size_t i = 0; r == 0 && i < d->count; i++)
		r = hear_process(d, err);
	return r < 0 ? -1 : hash_tree(d, digest, err);
}

int digest_tree(int tree, struct tree_digest *digest, struct error **err)
{
	struct digesting d = {
		.tree = tree,
		.sums = open_sums(),
		.queue = { -1, -1 },
		.results = -1,
	};
	int r;

	if (d.sums < 0)
		return error_errno(err, ERR_SPACE, "cannot make a file in memory");
	r = start_processes(&d, err);
	if (r == 0)
		r = digest_tasks_run(&d, digest, err);
	end_processes(&d);
	return r;
}
