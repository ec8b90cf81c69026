/* A tree from nothing to its name. It grows in a staging folder beside its destination, which
 * nobody but the range's first id can enter, and gets its name by one rename. */
#include "helper/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "helper/builder.h"
#include "helper/tree.h"

#define BUILDER_SECONDS 3600 /* between two of its notes */
#define SECOND_STAGE_SECONDS 7200

static void close_build(struct server *s)
{
	closep(&s->builder_socket);
	s->builder_socket = -1;
	jail_end(&s->builder);
	closep(&s->tree);
	closep(&s->staging);
	closep(&s->parent);
	s->tree = s->staging = s->parent = -1;
	s->phase = PHASE_IDLE;
}

void build_abandon(struct server *s)
{
	_cleanup_error_ struct error *err = NULL;

	if (s->staging < 0)
		return;
	jail_end(&s->builder);
	if (tree_remove(s->parent, s->staging_name, &err) < 0)
		fprintf(stderr, "%s\n", err && err->message ? err->message : "out of memory");
	close_build(s);
}

/* Makes and locks the staging folder. The lock goes with the last process that holds it. */
static int make_staging(struct server *s, struct error **err)
{
	struct stat ours, named;

	if (remove_stale(s->parent, STAGING_PREFIX, s->name, err) < 0)
		return -1;
	if (mkdirat(s->parent, s->staging_name, 0700) < 0)
		return error_errno(err, errno == EEXIST ? ERR_BUSY : ERR_SYSTEM, "cannot make %s",
				   s->staging_name);
	s->staging =
		openat(s->parent, s->staging_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->staging < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", s->staging_name);
	/* Somebody who took it for stale between the two calls has removed it. */
	if (flock(s->staging, LOCK_EX | LOCK_NB) < 0 || fstat(s->staging, &ours) < 0 ||
	    fstatat(s->parent, s->staging_name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ours.st_ino != named.st_ino) {
		closep(&s->staging);
		s->staging = -1;
		return error_set(err, ERR_BUSY, "another rootlet makes %s", s->name);
	}
	if (mkdirat(s->staging, "tree", 0755) < 0 || fchmodat(s->staging, "tree", 0755, 0) < 0 ||
	    fchownat(s->staging, "tree", 0, 0, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchown(s->staging, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the staging tree of %s", s->name);
	s->tree = openat(s->staging, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->tree < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the staging tree of %s", s->name);
	return 0;
}

static int start_builder(struct server *s, struct error **err)
{
	int ends[2];
	struct jail_spec spec = {
		.kind = JAIL_TOOL,
		.root = s->staging,
		.run = builder_run,
		.stdio = { -1, -1, -1 },
	};
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket pair");
	s->builder_socket = ends[0];
	spec.socket = ends[1];
	r = jail_start(&spec, &s->builder, err);
	close(ends[1]);
	return r;
}

/* Passes TASK to the builder and its notes back, up to the result, which becomes ours. */
static int ask_builder(struct server *s, const struct task *task, const int *fds, size_t count,
		       struct error **err)
{
	struct pollfd polled[] = {
		{ .fd = s->builder_socket, .events = POLLIN },
		{ .fd = s->parser, .events = POLLIN },
	};
	int none[PACKET_FDS_MAX], seconds = serve_seconds(s, BUILDER_SECONDS);
	struct note note;
	size_t n;

	if (packet_send(s->builder_socket, task, sizeof(*task), fds, count, err) < 0)
		return -1;
	for (;;) {
		int ready = RETRY_ON_EINTR(poll(polled, 2, seconds ? seconds * 1000 : -1));

		if (ready < 0)
			return error_errno(err, ERR_SYSTEM, "cannot wait for the builder");
		if (ready == 0)
			return error_set(err, ERR_INTERRUPTED, "the builder said nothing for %d s",
					 seconds);
		if (polled[1].revents)
			return error_set(err, ERR_INTERRUPTED, "the front end left");
		if (packet_receive(s->builder_socket, &note, sizeof(note), none, &n, NULL) !=
		    (ssize_t)sizeof(note))
			return error_set(err, ERR_SYSTEM, "the builder died");
		note.text[sizeof(note.text) - 1] = '\0';
		if (note.kind == NOTE_RESULT)
			break;
		if (note.kind == NOTE_PROGRESS)
			note_send(s->parser, &note, -1);
	}
	if (note.code == ERR_NONE)
		return 0;
	return error_set(err, note.code <= ERR_LAST ? note.code : ERR_SYSTEM, "%s", note.text);
}

static int begin(struct server *s, const struct task *t, const int *fds, struct error **err)
{
	s->parent = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	if (s->parent < 0)
		return error_errno(err, ERR_SYSTEM, "cannot keep the folder");
	memcpy(s->name, t->begin.name, sizeof(s->name));
	snprintf(s->staging_name, sizeof(s->staging_name), "%s%s", STAGING_PREFIX, s->name);
	s->package_count = 0;
	if (make_staging(s, err) < 0 || start_builder(s, err) < 0)
		return -1;
	return ask_builder(s, t, fds + 1, 1, err);
}

int handle_begin(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		 struct error **err)
{
	(void)out;
	if (begin(s, t, fds, err) < 0) {
		build_abandon(s);
		close_build(s);
		return -1;
	}
	s->phase = PHASE_BUILDING;
	return 0;
}

/* A link of the chain that does not hold ends the build: nothing of it is kept. */
int handle_to_builder(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		      struct error **err)
{
	(void)out;
	if (ask_builder(s, t, fds, 1, err) < 0) {
		build_abandon(s);
		return -1;
	}
	s->package_count += t->operation == OP_PACKAGE;
	return 0;
}

struct second_stage {
	struct server *server;
	uint64_t done, total;
};

static void count_line(const char *line, void *context)
{
	struct second_stage *p = context;

	if (strncmp(line, "I: Unpacking ", 13) == 0 || strncmp(line, "I: Configuring ", 15) == 0)
		note_progress(p->server->parser, "Unpacking and configuring", ++p->done, p->total);
}

/* What debootstrap leaves of the mirror goes; a guest needs a name and an /etc/hosts. */
static int second_stage(struct server *s, struct error **err)
{
	static const char script[] =
		"/debootstrap/debootstrap --second-stage || {\n"
		"  grep -m 1 'No space left' /debootstrap/debootstrap.log\n"
		"  tail -n 5 /debootstrap/debootstrap.log; exit 1; }\n"
		"rm -rf /debootstrap /var/cache/apt/archives/*.deb /var/lib/apt/lists/*_*\n"
		"echo '# made by rootlet from verified packages' >/etc/apt/sources.list\n"
		"echo rootlet >/etc/hostname\n"
		"[ -s /etc/hosts ] || printf '127.0.0.1 localhost rootlet\\n"
		"::1 localhost ip6-localhost ip6-loopback\\n' >/etc/hosts\n";
	static const char *const argv[] = { "sh", "-ec", script, NULL };
	struct second_stage progress = { .server = s, .total = 2 * (uint64_t)s->package_count };
	struct output output = { .line = count_line, .context = &progress };
	struct jail_spec spec = { .kind = JAIL_TREE, .root = s->tree, .argv = argv };
	int status = serve_jail(s, &spec, &output, SECOND_STAGE_SECONDS, err);
	char tail[1024];

	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(s->tree))
		return error_set(err, ERR_SPACE,
				 "cannot unpack packages: no space left on the disk of "
				 "%s; make room, or choose another place with --path",
				 s->name);
	return error_set(err, ERR_PACKAGE, "debootstrap's second stage failed with status %d: %s",
			 status, tail);
}

/* No user namespace can make device nodes. A guest mounts devtmpfs here; what redirects to
 * /dev/null before that finds a file at least. */
static int make_null(int tree, struct error **err)
{
	_cleanup_close_ int dev = tree_open_beneath(tree, "dev", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int null = -1;

	if (dev >= 0)
		null = tree_open_beneath(dev, "null", O_WRONLY | O_CREAT | O_EXCL, 0666);
	if (dev >= 0 && null < 0 && errno == EEXIST)
		return 0;
	if (null < 0 || fchmod(null, 0666) < 0 || fchown(null, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make /dev/null in the tree");
	return 0;
}

int handle_bootstrap(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		     struct error **err)
{
	(void)fds;
	(void)out;
	if (ask_builder(s, t, NULL, 0, err) < 0 || second_stage(s, err) < 0 ||
	    make_null(s->tree, err) < 0) {
		build_abandon(s);
		return -1;
	}
	jail_end(&s->builder);
	s->phase = PHASE_BUILT;
	return 0;
}

static int copy_manifest(int from, int to, struct error **err)
{
	char data[8192];
	off_t at = 0;
	ssize_t n;

	while ((n = RETRY_ON_EINTR(pread(from, data, sizeof(data), at))) > 0) {
		at += n;
		if (at > MANIFEST_MAX)
			return error_set(err, ERR_INPUT, "the manifest is longer than %d bytes",
					 MANIFEST_MAX);
		if (write(to, data, (size_t)n) != n)
			return error_errno(err, ERR_SPACE, "cannot write the manifest");
	}
	return n < 0 ? error_errno(err, ERR_SYSTEM, "cannot read the manifest") : 0;
}

/* The tree's scripts have run: a link in place of the folder or file is a refusal. */
static int write_manifest(int tree, int from, struct error **err)
{
	_cleanup_close_ int etc = tree_open_beneath(tree, "etc", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int folder = -1, to = -1;

	if (etc >= 0 && mkdirat(etc, "rootlet", 0755) == 0)
		folder = tree_open_beneath(etc, "rootlet", O_RDONLY | O_DIRECTORY, 0);
	if (folder >= 0)
		to = tree_open_beneath(folder, "manifest.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (to < 0 || fchmod(folder, 0755) < 0 || fchown(folder, 0, 0) < 0 ||
	    fchmod(to, 0644) < 0 || fchown(to, 0, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the manifest in the tree");
	return copy_manifest(from, to, err);
}

/* The old tree, locked, so that nobody starts to use it while it is replaced. */
static int lock_old(struct server *s, int *old, struct error **err)
{
	struct stat st;

	*old = openat(s->parent, s->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*old < 0 && errno == ENOENT)
		return 0;
	if (*old < 0 || fstat(*old, &st) < 0)
		return error_errno(err, ERR_REFUSED, "cannot replace %s", s->name);
	if (st.st_uid != 0)
		return error_set(err, ERR_REFUSED, "cannot replace %s: it is no rootfs of rootlet",
				 s->name);
	if (flock(*old, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "rootfs %s is in use: end what runs in it",
				 s->name);
	return 1;
}

static int give_name(struct server *s, bool replace, struct error **err)
{
	_cleanup_close_ int old = -1;
	int there = replace ? lock_old(s, &old, err) : 0;

	if (there < 0)
		return -1;
	if (renameat2(s->staging, "tree", s->parent, s->name,
		      there ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0)
		return error_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_SYSTEM,
				   "cannot give the rootfs its name %s", s->name);
	/* Also the rename itself is to survive a power cut. */
	fsync(s->parent);
	return 0;
}

int handle_publish(struct server *s, const struct task *t, const int *fds, struct outcome *out,
		   struct error **err)
{
	int r = 0;

	(void)out;
	if (fchmod(s->tree, 0755) < 0 || write_manifest(s->tree, fds[0], err) < 0)
		r = -1;
	/* Once, for all that the jail's sync calls did not do. */
	if (r == 0 && syncfs(s->tree) < 0)
		r = error_errno(err, ERR_SYSTEM, "cannot write the rootfs to disk");
	if (r == 0)
		r = give_name(s, t->publish.replace, err);
	build_abandon(s);
	return r;
}
