#include "helper/jailer/dispatch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "helper/jailer/audit_client.h"
#include "helper/jailer/bounds.h"
#include "helper/jailer/handlers.h"
#include "helper/jailer/rootfs.h"
#include "helper/jailer/serve.h"
#include "helper/jailer/staging.h"
#include "helper/parser/fields.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"
#include "policy/decide.h"
#include "policy/reopen.h"
#include "proto/note.h"

#define REFUSALS_MAX 1000 /* in a row; then the session ends */

#define ROW(NAME, Name, name, word, fds, when, seconds, caps)                                      \
	[OP_##NAME] = { #Name, word, fds, when, seconds, caps, handle_##name },
static const struct request_row {
	const char *name, *word, *fds;
	unsigned when, seconds;
	uint32_t caps;
	handler *handle;
} table[OP_COUNT] = { [OP_NONE] = { .name = "None", .fds = "" }, REQUESTS(ROW) };
#undef ROW

static bool fits(char kind, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_PATH && kind != 'o') || fstat(fd, &st) < 0)
		return false;
	switch (kind) {
	case 'd':
	case 'o':
	case 't':
		return S_ISDIR(st.st_mode);
	case 'w':
		return S_ISREG(st.st_mode) && (flags & O_ACCMODE) == O_RDWR && st.st_size == 0;
	case 'f':
		return S_ISREG(st.st_mode) && (flags & O_ACCMODE) != O_WRONLY;
	default:
		return !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode);
	}
}

static int check_row(const struct server *s, const struct request_row *row, const int *fds,
		     size_t count, struct error **err)
{
	if (s->greeted == (row->handle == handle_hello))
		return error_set(err, ERR_REFUSED,
				 "%s refused: Hello must come first, and only once", row->name);
	if (!(row->when & s->phase))
		return error_set(err, ERR_REFUSED, "%s refused: it is out of order", row->name);
	if (count != strlen(row->fds))
		return error_set(err, ERR_INPUT, "%s refused: it takes %zu descriptors, not %zu",
				 row->name, strlen(row->fds), count);
	for (size_t i = 0; i < count; i++) {
		if (!fits(row->fds[i], fds[i]))
			return error_set(err, ERR_INPUT,
					 "%s refused: descriptor %zu is of the "
					 "wrong kind",
					 row->name, i + 1);
		if (row->fds[i] == 't' && !is_sound_rootfs(fds[i]))
			return error_set(
				err, ERR_REFUSED,
				"%s refused: the directory is not a rootfs made by rootlet, others "
				"can write to it, or it was made with host ids other than "
				"yours, which begin at %u",
				row->name, s->map->first_uid);
	}
	return 0;
}

#define DIRECTORIES_MAX 2

/* A directory that came with a request, reopened by this process. */
struct directory {
	int fd; /* -1: reopening failed */
	char path[PATH_MAX];
	struct error *why;
};

struct directories {
	struct directory at[DIRECTORIES_MAX];
	size_t count;
	int tree; /* the rootfs's tree, from rootfs_tree(), or -1 */
};

static void close_directories(struct directories *d)
{
	for (size_t i = 0; i < d->count; i++) {
		closep(&d->at[i].fd);
		error_free(&d->at[i].why);
	}
	closep(&d->tree);
}

/* Replaces the caller's directory descriptors in FDS by our own; the caller's are not used after
 * this. They stay open until the request is done, and so do their locks. */
static void open_directories(struct directories *d, const struct request_row *row, int *fds,
			     size_t count)
{
	*d = (struct directories){ .tree = -1 };
	while (d->count < count && d->count < strspn(row->fds, "dot")) {
		struct directory *one = &d->at[d->count];
		int given = fds[d->count];

		one->fd = fits(row->fds[d->count], given)
				  ? directory_open(given, one->path, &one->why)
				  : -1;
		if (one->fd >= 0)
			fds[d->count] = one->fd;
		d->count++;
	}
}

/* Handlers get the tree of a rootfs, whether the rootfs is closed or open. */
static int dispatch_enter_tree(const struct request_row *row, struct directories *d, int *fds,
			       struct error **err)
{
	if (*row->fds != 't')
		return 0;
	d->tree = rootfs_tree(fds[0], NULL);
	if (d->tree < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the tree of the rootfs");
	fds[0] = d->tree;
	return 0;
}

/* Without a policy, paths do not matter: a directory in a mount namespace of the caller's own is as
 * good as any. */
static int check_directories(const struct server *s, const struct request_row *row,
			     struct directories *d, struct error **err)
{
	for (size_t i = 0; i < d->count && s->session->policy->path; i++) {
		struct directory *one = &d->at[i];

		if (one->why) {
			*err = STEAL_PTR(one->why);
			return error_wrap(err, "%s refused", row->name);
		}
		if (one->fd >= 0 && !keeps_owners(s, one->fd))
			return error_set(
				err, ERR_REFUSED,
				"%s refused: rootlet-helper does not trust the filesystem of %s to "
				"report the owners of files (only " OWNERS_KEPT
				"); choose a directory on one of these with --path",
				row->name, one->path);
	}
	return 0;
}

/* Asks the policy about TASK and about each of its directories. */
static int ask_policy(const struct server *s, const struct request_row *row,
		      const struct task *task, const int *fds,
		      const struct directories *directories, struct decision *d, struct error **err)
{
	struct question q = { .request = row->name, .word = row->word, .keyring = -1 };
	size_t count = s->session->policy->path ? directories->count : 0;

	if (task->operation == OP_BEGIN) {
		q.suite = task->begin.suite;
		q.engine = task->begin.engine;
		q.keyring = fds[1];
	} else if (task->operation == OP_CHANGE) {
		q.suite = task->change.suite;
		q.keyring = fds[1];
	} else if (task->operation == OP_EXTEND) {
		q.suite = task->extend.suite;
		q.engine = "native";
		q.keyring = fds[2];
	} else if (task->operation == OP_PACKAGE) {
		q.package = task->package.name;
	} else if (task->operation == OP_LOCAL_PACKAGE) {
		q.package = task->local_package.name;
	} else if (task->operation == OP_RELEASE) {
		q.older = task->release.older	? OLDER_RELEASE
			  : task->release.dated ? DATED_ARCHIVE
						: NULL;
	} else if (task->operation == OP_REPOSITORY) {
		q.keyring = fds[1];
		q.older = task->repository.older ? OLDER_RELEASE : NULL;
	} else if (task->operation == OP_PUBLISH) {
		q.replaces = task->publish.replace;
		q.mode = task->publish.mode;
	}
	policy_decide(&s->session->grant, &q, d);
	for (size_t i = 0; i < count && d->allowed; i++) {
		q.dir = directories->at[i].path;
		policy_decide(&s->session->grant, &q, d);
	}
	if (d->allowed && bounds_decide(s, task, fds, d, err) < 0)
		return error_wrap(err, "%s refused", row->name);
	return d->allowed ? 0 : error_set(err, ERR_REFUSED, "%s refused: %s", row->name, d->why);
}

/* Checks the request's shape, its directories and descriptors, its order, and the policy, in this
 * order. R's rule then names the check that decided. */
static int dispatch_judge(const struct server *s, const struct request_row *row,
			  const struct task *task, const int *fds, size_t count,
			  struct directories *directories, struct record *r, struct error **err)
{
	struct decision d = { .rule = "" };
	int result;

	snprintf(r->rule, sizeof(r->rule), "shape");
	if (task_check(task, err) < 0)
		return -1;
	snprintf(r->rule, sizeof(r->rule), "descriptors");
	if (check_directories(s, row, directories, err) < 0)
		return -1;
	snprintf(r->rule, sizeof(r->rule), "order");
	if (check_row(s, row, fds, count, err) < 0)
		return -1;
	result = ask_policy(s, row, task, fds, directories, &d, err);
	snprintf(r->rule, sizeof(r->rule), "%s", d.rule);
	return result;
}

static void take_outcome(struct record *r, const struct error *err, int status)
{
	r->code = err ? err->code : ERR_NONE;
	r->status = err ? 0 : status;
	snprintf(r->text, sizeof(r->text), "%s", err && err->message ? err->message : "");
}

/* Writes `folder=PATH ` for each directory or rootfs of the request, whether or not it is allowed.
 * Each path is limited to a part of SIZE, so that there is room for the arguments. */
static void describe_dirs(const struct directories *d, char *into, size_t size)
{
	const size_t room = 384;
	size_t used = 0;

	into[0] = '\0';
	for (size_t i = 0; i < d->count && size - used > room; i++) {
		const char *text = d->at[i].fd >= 0 ? d->at[i].path : "?";
		bool cut = strlen(text) > room - 32;

		used += (size_t)snprintf(into + used, size - used, "folder=%.*s%s ", (int)room - 32,
					 text, cut ? "..." : "");
	}
}

/* The time limit in seconds: the lower of the row's and the policy's; 0: none. */
static unsigned limit_of(const struct server *s, const struct request_row *row)
{
	uint64_t most = s->session->grant.rule ? s->session->grant.rule->seconds_max : POLICY_NONE;

	if (most > INT_MAX || (row->seconds && row->seconds < most))
		return row->seconds;
	return (unsigned)most;
}

/* Of the capabilities that are left, makes those of CAPS (bits) effective, and no others. */
static int dispatch_use(uint32_t caps, struct error **err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read capabilities");
	data[0].effective = data[0].permitted & caps;
	if (syscall(SYS_capset, &header, data) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot set capabilities");
	return 0;
}

/* The only way to a handler: a request is judged and recorded before it runs. */
static int dispatch_request(struct server *s, struct request *request, int *fds, size_t count,
			    struct error **err)
{
	const struct task *task = request->task;
	const struct request_row *row =
		&table[task->operation < OP_COUNT ? task->operation : OP_NONE];
	_cleanup_(close_directories) struct directories directories;
	struct record r = { .kind = RECORD_INTENT };
	int64_t began = clock_milliseconds();
	char dirs[sizeof(r.arguments)];
	int result;

	s->limit = limit_of(s, row);
	s->deadline = s->limit ? clock_seconds() + s->limit : INT64_MAX;
	snprintf(r.request, sizeof(r.request), "%s", row->name);
	open_directories(&directories, row, fds, count);
	describe_dirs(&directories, dirs, sizeof(dirs));
	task_describe(task, dirs, r.arguments, sizeof(r.arguments));
	result = dispatch_judge(s, row, task, fds, count, &directories, &r, err);
	if (result < 0) {
		r.kind = RECORD_REFUSAL;
		take_outcome(&r, err ? *err : NULL, 0);
	}
	s->refusals = result < 0 ? s->refusals + 1 : 0;
	if (audit_ask(s->audit, &r, err) < 0 || result < 0)
		return -1;
	result = dispatch_enter_tree(row, &directories, fds, err);
	if (result == 0)
		result = dispatch_use(row->caps, err);
	if (result == 0)
		result = row->handle(s, request, err);
	if (dispatch_use(CAPS_ALL, NULL) < 0)
		_exit(1);
	r.kind = RECORD_RESULT;
	r.milliseconds = (uint64_t)(clock_milliseconds() - began);
	take_outcome(&r, result < 0 ? *err : NULL, request->status);
	audit_ask(s->audit, &r, NULL);
	return result;
}

/* Answers one task. False if the session ends: the parser has exited, or too many requests in a row
 * were refused. */
static bool answer(struct server *s)
{
	static struct task task;
	_cleanup_error_ struct error *err = NULL;
	struct note note = { .kind = NOTE_RESULT };
	int received[PACKET_FDS_MAX], fds[PACKET_FDS_MAX], r;
	struct request request = { .task = &task, .fds = fds, .fd = -1 };
	size_t count;
	ssize_t n = packet_receive(s->parser, &task, sizeof(task), received, &count, &err);

	if (n != (ssize_t)sizeof(task))
		return false;
	memcpy(fds, received, sizeof(fds));
	if (dispatch_request(s, &request, fds, count, &err) < 0) {
		if (!err)
			error_no_memory(&err);
		note_result(s->parser, err, 0);
		r = 0;
	} else {
		note.status = request.status;
		r = note_send(s->parser, &note, request.fd);
	}
	for (size_t i = 0; i < count; i++)
		closep(&received[i]);
	closep(&request.fd);
	/* Each refusal adds a line to an audit log that may be root's. */
	return r == 0 && s->refusals < REFUSALS_MAX;
}

int dispatch_serve(int parser, int audit, int key, int worker, const struct session *session,
		   const struct idmap *map)
{
	struct server s = {
		.parser = parser,
		.phase = WHEN_IDLE,
		.audit = audit,
		.key = key,
		.worker = worker,
		.session = session,
		.map = map,
		.parent = -1,
		.staging = -1,
		.tree = -1,
		.old = -1,
		.verifier = STAGE_NONE,
		.unpacker = STAGE_NONE,
	};

	bounds_set(session->grant.rule);
	while (answer(&s))
		;
	staging_abandon(&s);
	return 0;
}
