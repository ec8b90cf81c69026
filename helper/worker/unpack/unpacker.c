#include "helper/worker/unpack/unpacker.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "helper/worker/copy.h"
#include "helper/worker/entries.h"
#include "helper/worker/processors.h"
#include "helper/worker/unpack/package.h"
#include "helper/worker/unpack/unpack_plan.h"
#include "lib/error_wrap.h"
#include "proto/note.h"
#include "proto/task.h"

/* Each may need 8 MiB for xz -6. Together they must stay below 96 MiB, so there are no more of them
 * even if there are more processors. */
#define WORKERS_MAX 8
#define COPY_NAME_SIZE (PACKAGE_NAME_MAX + 8)

struct worker {
	int socket;
	struct unpacked_package *busy_with;
};

struct unpacker {
	struct layout layout;
	bool native; /* the engine; debootstrap's only needs filters applied */
	bool change; /* the tree has packages already: dpkg unpacks the new ones */
	enum unpack_way way;
	struct worker workers[WORKERS_MAX];
	size_t worker_count;
	struct unpack_plan plan;
	struct error *failure; /* the first failure of any worker */
};

/* Sent to a worker, together with the descriptor of the .deb. */
struct unpack_job {
	char name[PACKAGE_NAME_MAX + 1];
	bool first;
	enum unpack_way way;
};

/* --- worker --- */

static _Noreturn void unpacker_work(const struct layout *layout, int socket)
{
	struct unpack_job job;

	for (;;) {
		_cleanup_error_ struct error *err = NULL;
		int fds[PACKET_FDS_MAX], state;
		size_t count;

		if (packet_receive(socket, &job, sizeof(job), fds, &count, NULL) != sizeof(job) ||
		    count != 1)
			_exit(0);
		state = package_unpack(layout, job.name, fds[0], job.first, job.way, &err);
		close(fds[0]);
		if (state < 0 && !err)
			error_no_memory(&err);
		note_result(socket, state < 0 ? err : NULL, state);
	}
}

static int start_worker(struct unpacker *u, struct error **err)
{
	int ends[2];
	pid_t pid;

	if (packet_pair(ends, err) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start an unpacking process");
	if (pid == 0) {
		/* Otherwise earlier workers would not notice that the supervisor has exited. */
		for (size_t i = 0; i < u->worker_count; i++)
			close(u->workers[i].socket);
		close(ends[0]);
		unpacker_work(&u->layout, ends[1]);
	}
	close(ends[1]);
	u->workers[u->worker_count++] = (struct worker){ .socket = ends[0] };
	return 0;
}

static int start_workers(struct unpacker *u, struct error **err)
{
	size_t count = processors(WORKERS_MAX);

	while (u->worker_count < count)
		if (start_worker(u, err) < 0)
			return -1;
	return 0;
}

/* --- supervisor --- */

/* The copy of a package's archive in the work directory, from where dpkg takes those that are kept
 * for it. No package name contains a "_". */
static void name_copy(const char *package, char file[static COPY_NAME_SIZE])
{
	snprintf(file, COPY_NAME_SIZE, "%s_.deb", package);
}

static void unpacker_take_result(struct unpacker *u, struct worker *w)
{
	char file[COPY_NAME_SIZE];
	struct note note;
	int none[PACKET_FDS_MAX];
	size_t n;

	if (packet_receive(w->socket, &note, sizeof(note), none, &n, NULL) != sizeof(note)) {
		error_set(&u->failure, ERR_PACKAGE, "package %s: its unpacking process died",
			  w->busy_with->name);
	} else if (note_error(&note, &u->failure) == 0) {
		w->busy_with->state = (enum package_state)note.status;
		name_copy(w->busy_with->name, file);
		if (w->busy_with->state != PACKAGE_KEPT && unlinkat(u->layout.work, file, 0) < 0)
			error_errno(&u->failure, ERR_SYSTEM, "cannot remove %s", file);
	}
	w->busy_with = NULL;
}

/* Waits until any busy worker has finished, or (ALL) all of them. -1 if one has failed. */
static int wait_for_workers(struct unpacker *u, bool all, struct error **err)
{
	for (;;) {
		struct pollfd fds[WORKERS_MAX];
		size_t busy = 0;

		for (size_t i = 0; i < u->worker_count; i++) {
			fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
			if (u->workers[i].busy_with) {
				fds[i].fd = u->workers[i].socket;
				busy++;
			}
		}
		if (u->failure)
			return error_set(err, u->failure->code, "%s", u->failure->message);
		if (busy == 0 || (!all && busy < u->worker_count))
			return 0;
		if (RETRY_ON_EINTR(poll(fds, u->worker_count, -1)) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot wait for a package");
		for (size_t i = 0; i < u->worker_count; i++)
			if (fds[i].revents && u->workers[i].busy_with)
				unpacker_take_result(u, &u->workers[i]);
	}
}

static int give(struct unpacker *u, struct unpacked_package *p, int fd, bool first,
		enum unpack_way way, struct error **err)
{
	struct unpack_job job = { .first = first, .way = way };
	struct worker *w = u->workers;

	if (wait_for_workers(u, false, err) < 0)
		return -1;
	while (w->busy_with)
		w++;
	memcpy(job.name, p->name, sizeof(job.name));
	w->busy_with = p;
	return packet_send(w->socket, &job, sizeof(job), &fd, 1, err);
}

static int write_filters(const struct unpacker *u, struct error **err)
{
	const struct words *filters = &u->layout.filters;
	const char *filter = NULL;
	_cleanup_close_ int dir = -1;
	_cleanup_fclose_ FILE *file = NULL;
	int fd;

	if (filters->count == 0)
		return 0;
	dir = tree_make_dirs(u->layout.tree, "etc/dpkg/dpkg.cfg.d");
	fd = dir < 0 ? -1 : openat(dir, "rootlet", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return error_errno(err, ERR_SYSTEM, "cannot write dpkg's configuration");
	fputs("# What the profile of this rootfs leaves out.\n", file);
	while ((filter = words_next(filters, filter)))
		fprintf(file, "path-%s=%s\n", *filter == '+' ? "include" : "exclude", filter + 1);
	if (fflush(file) != 0)
		return error_errno(err, ERR_SYSTEM, "cannot write dpkg's configuration");
	return 0;
}

/* For these suites, and none after them, debootstrap leaves /bin and the like as directories. */
static bool is_merged(const char *suite)
{
	static const char *const apart[] = { "trusty", "xenial", "bionic", "cosmic", "jessie" };

	for (size_t i = 0; i < sizeof(apart) / sizeof(*apart); i++)
		if (strcmp(suite, apart[i]) == 0)
			return false;
	return true;
}

static int unpacker_open_tree(struct layout *l, struct error **err)
{
	l->tree = open("/tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->tree < 0 ? error_errno(err, ERR_SYSTEM, "cannot open the tree") : 0;
}

static int unpacker_make_work(struct layout *l, struct error **err)
{
	l->work = tree_make_dirs(l->tree, WORK);
	return l->work < 0 ? error_errno(err, ERR_SYSTEM, "cannot make /" WORK) : 0;
}

static int unpacker_begin(struct unpacker *u, const struct task *t, struct error **err)
{
	struct layout *l = &u->layout;

	if (unpacker_open_tree(l, err) < 0)
		return -1;
	memcpy(l->arch, t->begin.arch, sizeof(l->arch));
	if (strcmp(t->begin.engine, "pieces") == 0) {
		u->way = UNPACK_PIECE;
		return unpacker_make_work(l, err) < 0 ? -1 : start_workers(u, err);
	}
	l->merged = is_merged(t->begin.suite);
	l->filters = t->begin.filters;
	u->way = UNPACK;
	u->native = strcmp(t->begin.engine, "native") == 0;
	if (!u->native)
		return write_filters(u, err);
	closep(&(int){ tree_make_dirs(l->tree, DPKG_INFO) });
	if (unpacker_make_work(l, err) < 0 || write_filters(u, err) < 0)
		return -1;
	return start_workers(u, err);
}

static int unpacker_change(struct unpacker *u, const struct task *t, struct error **err)
{
	struct layout *l = &u->layout;

	u->native = u->change = true;
	u->way = LEAVE_TO_DPKG;
	u->plan.removed = t->change.removed;
	memcpy(l->arch, t->change.arch, sizeof(l->arch));
	if (unpacker_open_tree(l, err) < 0 || unpacker_make_work(l, err) < 0)
		return -1;
	return start_workers(u, err);
}

static int open_copy(const struct unpacker *u, const char *file, int flags, struct error **err)
{
	int fd = openat(u->layout.work, file, flags | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", file) : fd;
}

/* This process hashes the archive and does not parse it. Those that parse get a copy with the right
 * hash, which the caller cannot change. */
static int copy_package(const struct unpacker *u, const struct task *t, int deb, struct error **err)
{
	const char *name = t->package.name;
	char file[COPY_NAME_SIZE];
	_cleanup_close_ int copy = -1;
	uint8_t sum[SHA256_LEN];
	struct stat st;
	uint64_t size;

	name_copy(name, file);
	copy = open_copy(u, file, O_WRONLY | O_CREAT | O_EXCL, err);
	if (copy < 0)
		return -1;
	if (fstat(deb, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "package %s: cannot read it", name);
	if (copy_hashed(deb, copy, (uint64_t)st.st_size, sum, &size, err) < 0)
		return error_wrap(err, "package %s", name);
	if (memcmp(sum, t->package.sha256, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST, "package %s: hash differs from the signed index",
				 name);
	return open_copy(u, file, O_RDONLY, err);
}

/* The first package is unpacked alone, because it gives directories their modes. */
static int unpacker_take_package(struct unpacker *u, const struct task *t, int fd,
				 struct error **err)
{
	struct unpacked_package *p = plan_add(&u->plan, t->package.name, err);
	_cleanup_close_ int copy = p ? copy_package(u, t, fd, err) : -1;
	bool first = u->plan.count == 1 && !u->change;

	if (copy < 0 || give(u, p, copy, first, u->way, err) < 0)
		return -1;
	return first ? wait_for_workers(u, true, err) : 0;
}

/* Writing files into directories changed their times. */
static int unpacker_finish_pieces(struct unpacker *u, struct error **err)
{
	struct unpacked_package *first = u->plan.packages;
	char file[COPY_NAME_SIZE];
	_cleanup_close_ int copy = -1;

	if (u->plan.count == 0)
		return error_set(err, ERR_REFUSED, "no piece of the tree has been sent");
	if (wait_for_workers(u, true, err) < 0)
		return -1;
	name_copy(first->name, file);
	copy = open_copy(u, file, O_RDONLY, err);
	if (copy < 0)
		return -1;
	if (unlinkat(u->layout.work, file, 0) < 0 ||
	    unlinkat(u->layout.tree, WORK, AT_REMOVEDIR) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove /" WORK);
	return give(u, first, copy, true, UNPACK_PIECE, err) < 0 ? -1
								 : wait_for_workers(u, true, err);
}

/* For a package that dpkg itself needs and that has a preinst: its files come first, because
 * nothing could run the preinst before they exist. */
static int unpacker_unpack_again(struct unpacker *u, struct unpacked_package *p, struct error **err)
{
	char file[COPY_NAME_SIZE];
	_cleanup_close_ int copy = -1;

	name_copy(p->name, file);
	copy = open_copy(u, file, O_RDONLY, err);
	return copy < 0 ? -1 : give(u, p, copy, false, UNPACK_BEFORE_PREINST, err);
}

static int unpacker_finish(struct unpacker *u, struct error **err)
{
	if (wait_for_workers(u, true, err) < 0 || plan_read(&u->plan, &u->layout, err) < 0)
		return -1;
	if (u->change)
		return plan_write_change(&u->plan, &u->layout, err);
	for (size_t i = 0; i < u->plan.count; i++) {
		struct unpacked_package *p = &u->plan.packages[i];

		if (p->base && p->state == PACKAGE_KEPT && unpacker_unpack_again(u, p, err) < 0)
			return -1;
	}
	if (wait_for_workers(u, true, err) < 0)
		return -1;
	return plan_write(&u->plan, &u->layout, err);
}

/* debootstrap's first stage knows no filters: removes what they leave out. PATH is the
 * directory's. */
static int unpacker_sweep(const struct words *filters, int dir, char path[static PATH_LENGTH_MAX],
			  struct error **err)
{
	_cleanup_(tree_close_dir) DIR *d = tree_open_dir(dir, ".");
	size_t length = strlen(path);
	struct dirent *entry;

	while (errno = 0, d && (entry = readdir(d))) {
		bool below = entry->d_type == DT_DIR, link = entry->d_type == DT_LNK;
		_cleanup_close_ int next = -1;

		if (tree_is_dots(entry->d_name))
			continue;
		if (snprintf(path + length, PATH_LENGTH_MAX - length, "/%s", entry->d_name) >=
		    (int)(PATH_LENGTH_MAX - length))
			return error_set(err, ERR_PACKAGE, "a path is too long: %.200s", path);
		if (below) {
			next = openat(dir, entry->d_name,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (next < 0 || unpacker_sweep(filters, next, path, err) < 0)
				return error_errno(err, ERR_SYSTEM, "cannot open %.200s", path);
		}
		if (filters_skip(filters, path, below || link) &&
		    unlinkat(dir, entry->d_name, below ? AT_REMOVEDIR : 0) < 0 &&
		    errno != ENOTEMPTY)
			return error_errno(err, ERR_SYSTEM, "cannot remove %.200s", path);
	}
	path[length] = '\0';
	return d && !errno ? 0 : error_errno(err, ERR_SYSTEM, "cannot read the tree");
}

/* No user namespace can create device nodes. A guest mounts devtmpfs here; until then, redirections
 * to /dev/null at least find a file. */
static int unpacker_make_null(int tree, struct error **err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL;
	_cleanup_close_ int dev = tree_make_dirs(tree, "dev");
	_cleanup_close_ int null = dev < 0 ? -1 : tree_open_beneath(dev, "null", flags, 0666);

	if (null >= 0 ? fchmod(null, 0666) == 0 : dev >= 0 && errno == EEXIST)
		return 0;
	return error_errno(err, ERR_SYSTEM, "cannot make /dev/null in the tree");
}

static int unpacker_bootstrap(struct unpacker *u, struct error **err)
{
	char path[PATH_LENGTH_MAX] = "";
	int r = u->way == UNPACK_PIECE ? unpacker_finish_pieces(u, err)
		: u->native	       ? unpacker_finish(u, err)
			    : unpacker_sweep(&u->layout.filters, u->layout.tree, path, err);

	return r < 0 ? -1 : unpacker_make_null(u->layout.tree, err);
}

static int unpacker_step(struct unpacker *u, const struct task *t, int fd, struct error **err)
{
	switch (t->operation) {
	case OP_BEGIN:
		return unpacker_begin(u, t, err);
	case OP_CHANGE:
		return unpacker_change(u, t, err);
	case OP_PACKAGE:
		return unpacker_take_package(u, t, fd, err);
	case OP_BOOTSTRAP:
		return unpacker_bootstrap(u, err);
	default:
		return error_set(err, ERR_REFUSED, "the unpacker does not know this request");
	}
}

int unpacker_run(int socket)
{
	static struct unpacker u;
	static struct task task;

	for (;;) {
		_cleanup_error_ struct error *err = NULL;
		int fds[PACKET_FDS_MAX], r;
		size_t count;

		if (packet_receive(socket, &task, sizeof(task), fds, &count, NULL) != sizeof(task))
			return 0;
		r = unpacker_step(&u, &task, fds[0], &err);
		for (size_t i = 0; i < count; i++)
			closep(&fds[i]);
		if (r < 0 && !err)
			error_no_memory(&err);
		note_result(socket, r < 0 ? err : NULL, 0);
	}
}
