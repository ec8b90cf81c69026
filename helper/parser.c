#include "helper/parser.h"

#include <poll.h>
#include <string.h>

#include "helper/privileges.h"
#include "helper/task.h"
#include "rootlet.pb-c.h"

static void request_free(Rootlet__Request **request)
{
	if (*request)
		rootlet__request__free_unpacked(*request, NULL);
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		closep(&fds[i]);
}

/* False where FROM (NULL counts as "") does not fit. */
static bool copy(char *to, size_t size, const char *from)
{
	size_t length = from ? strlen(from) : 0;

	if (length >= size)
		return false;
	memcpy(to, from ? from : "", length + 1);
	return true;
}

#define COPY(to, from) copy((to), sizeof(to), (from))

static bool copy_user(struct task *t, const Rootlet__AddUser *from)
{
	bool good = COPY(t->user.name, from->name) && COPY(t->user.home, from->home) &&
		    COPY(t->user.shell, from->shell) && from->n_groups <= GROUPS_MAX;

	t->user.uid = from->uid;
	t->user.gid = from->gid;
	t->user.group_count = (uint32_t)from->n_groups;
	for (size_t i = 0; good && i < from->n_groups; i++)
		good = COPY(t->user.groups[i], from->groups[i]);
	return good;
}

static bool copy_execute(struct task *t, const Rootlet__Execute *from)
{
	size_t used = 0;

	if (!COPY(t->execute.user, from->user) || from->n_argv > ARGV_MAX)
		return false;
	for (size_t i = 0; i < from->n_argv; i++) {
		if (!copy(t->execute.words + used, sizeof(t->execute.words) - used, from->argv[i]))
			return false;
		used += strlen(from->argv[i]) + 1;
	}
	t->execute.terminal = from->terminal != 0;
	t->execute.argc = (uint32_t)from->n_argv;
	t->execute.bytes = (uint32_t)used;
	return true;
}

static bool copy_begin(struct task *t, const Rootlet__Begin *from)
{
	struct filters *filters = &t->begin.filters;
	bool good = COPY(t->begin.name, from->name) && COPY(t->begin.suite, from->suite) &&
		    COPY(t->begin.arch, from->arch) && COPY(t->begin.engine, from->engine) &&
		    from->n_filters <= FILTERS_MAX;

	filters->count = (uint32_t)from->n_filters;
	for (size_t i = 0; good && i < from->n_filters; i++) {
		filters->list[i].include = from->filters[i]->include != 0;
		good = COPY(filters->list[i].pattern, from->filters[i]->pattern);
	}
	return good;
}

static bool copy_package(struct task *t, const Rootlet__Package *from)
{
	if (from->sha256.len != SHA256_LEN)
		return false;
	memcpy(t->package.sha256, from->sha256.data, SHA256_LEN);
	return COPY(t->package.name, from->name);
}

static bool copy_find(struct task *t, const Rootlet__Find *from)
{
	bool good = from->n_paths <= FIND_MAX;

	t->find.count = (uint32_t)from->n_paths;
	for (size_t i = 0; good && i < from->n_paths; i++)
		good = COPY(t->find.paths[i], from->paths[i]);
	return good;
}

/* Fills the task; false where a field does not fit. Its shape is task_check()'s business. */
static bool translate(const Rootlet__Request *r, struct task *t)
{
	switch (r->kind_case) {
	case ROOTLET__REQUEST__KIND_HELLO:
		t->operation = OP_HELLO;
		t->hello.version = r->hello->version;
		return true;
	case ROOTLET__REQUEST__KIND_BEGIN:
		t->operation = OP_BEGIN;
		return copy_begin(t, r->begin);
	case ROOTLET__REQUEST__KIND_RELEASE:
		t->operation = OP_RELEASE;
		t->release.older = r->release->older != 0;
		return COPY(t->release.pocket, r->release->pocket) &&
		       COPY(t->release.mirror, r->release->mirror);
	case ROOTLET__REQUEST__KIND_CHECK_RELEASE:
		t->operation = OP_CHECK_RELEASE;
		t->release.older = r->check_release->older != 0;
		return COPY(t->release.suite, r->check_release->suite) &&
		       COPY(t->release.pocket, r->check_release->pocket) &&
		       COPY(t->release.mirror, r->check_release->mirror);
	case ROOTLET__REQUEST__KIND_INDEX:
		t->operation = OP_INDEX;
		return COPY(t->index.pocket, r->index->pocket) &&
		       COPY(t->index.component, r->index->component);
	case ROOTLET__REQUEST__KIND_PACKAGE:
		t->operation = OP_PACKAGE;
		return copy_package(t, r->package);
	case ROOTLET__REQUEST__KIND_BOOTSTRAP:
		t->operation = OP_BOOTSTRAP;
		return true;
	case ROOTLET__REQUEST__KIND_ADD_GROUP:
		t->operation = OP_ADD_GROUP;
		t->group.gid = r->add_group->gid;
		return COPY(t->group.name, r->add_group->name);
	case ROOTLET__REQUEST__KIND_ADD_USER:
		t->operation = OP_ADD_USER;
		return copy_user(t, r->add_user);
	case ROOTLET__REQUEST__KIND_PUBLISH:
		t->operation = OP_PUBLISH;
		t->publish.replace = r->publish->replace != 0;
		t->publish.mode = r->publish->mode;
		return true;
	case ROOTLET__REQUEST__KIND_INSPECT:
		t->operation = OP_INSPECT;
		t->inspect.deep = r->inspect->deep != 0;
		t->inspect.digest = r->inspect->digest != 0;
		return true;
	case ROOTLET__REQUEST__KIND_REMOVE:
		t->operation = OP_REMOVE;
		t->remove.stale = r->remove->stale != 0;
		return COPY(t->remove.name, r->remove->name);
	case ROOTLET__REQUEST__KIND_EXECUTE:
		t->operation = OP_EXECUTE;
		return copy_execute(t, r->execute);
	case ROOTLET__REQUEST__KIND_CLONE:
		t->operation = OP_CLONE;
		return COPY(t->clone.name, r->clone->name) &&
		       COPY(t->clone.base, r->clone->base_name);
	case ROOTLET__REQUEST__KIND_KEEP:
		t->operation = OP_KEEP;
		return COPY(t->keep.name, r->keep->name);
	case ROOTLET__REQUEST__KIND_VERIFY:
		t->operation = OP_VERIFY;
		return true;
	case ROOTLET__REQUEST__KIND_OPEN_NAMESPACE:
		t->operation = OP_OPEN_NAMESPACE;
		return true;
	case ROOTLET__REQUEST__KIND_OPEN:
		t->operation = OP_OPEN;
		return true;
	case ROOTLET__REQUEST__KIND_READ:
		t->operation = OP_READ;
		return COPY(t->read.file, r->read->file);
	case ROOTLET__REQUEST__KIND_FIND:
		t->operation = OP_FIND;
		return copy_find(t, r->find);
	case ROOTLET__REQUEST__KIND_BUILD_IMAGE:
		t->operation = OP_BUILD_IMAGE;
		return COPY(t->image.format, r->build_image->format);
	default:
		return false;
	}
}

bool parser_translate(const unsigned char *packet, size_t size, struct task *task)
{
	_cleanup_(request_free) Rootlet__Request *request =
		rootlet__request__unpack(NULL, size, packet);

	memset(task, 0, sizeof(*task));
	return request && translate(request, task);
}

/* Packs NOTE as a Reply. Returns its length. */
static size_t note_pack(struct note *note, unsigned char *packet)
{
	Rootlet__Reply reply = ROOTLET__REPLY__INIT;
	Rootlet__HelloReply hello = ROOTLET__HELLO_REPLY__INIT;
	Rootlet__Progress progress = ROOTLET__PROGRESS__INIT;
	Rootlet__Log log = ROOTLET__LOG__INIT;
	Rootlet__Inspection inspection = ROOTLET__INSPECTION__INIT;
	Rootlet__Found found = ROOTLET__FOUND__INIT;
	Rootlet__Result result = ROOTLET__RESULT__INIT;

	note->text[sizeof(note->text) - 1] = '\0';
	hello.version = PROTOCOL_VERSION;
	hello.mode = progress.stage = log.line = result.message = found.kinds = note->text;
	reply.kind_case = (Rootlet__Reply__KindCase)note->kind;
	switch (note->kind) {
	case NOTE_HELLO:
		hello.first_uid = note->ids.first_uid;
		hello.first_gid = note->ids.first_gid;
		hello.count = note->ids.count;
		reply.hello = &hello;
		break;
	case NOTE_PROGRESS:
		progress.done = note->progress.done;
		progress.total = note->progress.total;
		reply.progress = &progress;
		break;
	case NOTE_LOG:
		reply.log = &log;
		break;
	case NOTE_FOUND:
		reply.found = &found;
		break;
	case NOTE_INSPECTION:
		inspection.bytes = note->inspection.bytes;
		inspection.files = note->inspection.files;
		inspection.foreign = note->inspection.foreign;
		inspection.fingerprint = note->inspection.fingerprint;
		if (note->inspection.digested) {
			inspection.digest.data = (uint8_t *)(uintptr_t)note->inspection.digest;
			inspection.digest.len = sizeof(note->inspection.digest);
		}
		reply.inspection = &inspection;
		break;
	default:
		result.code = note->code;
		result.number = note->number;
		result.status = note->status;
		reply.kind_case = ROOTLET__REPLY__KIND_RESULT;
		reply.result = &result;
	}
	return rootlet__reply__pack(&reply, packet);
}

/* Passes one note on. Returns 1 where it was a result, 0 where more follow; a side that is gone
 * ends the process. */
static int relay_note(int channel, int jailer, unsigned char *packet)
{
	struct note note;
	int fds[PACKET_FDS_MAX], r;
	size_t count, size;

	if (packet_receive(jailer, &note, sizeof(note), fds, &count, NULL) != sizeof(note))
		_exit(1);
	size = note_pack(&note, packet);
	r = packet_send(channel, packet, size, fds, count, NULL);
	close_all(fds, count);
	if (r < 0)
		_exit(0);
	return note.kind == NOTE_RESULT;
}

/* Until the result. A front end that sends or leaves meanwhile ends the session, which is how
 * Ctrl-C reaches the jail. */
static void relay(int channel, int jailer, unsigned char *packet)
{
	struct pollfd fds[] = {
		{ .fd = jailer, .events = POLLIN },
		{ .fd = channel, .events = POLLIN },
	};

	for (;;) {
		if (RETRY_ON_EINTR(poll(fds, 2, -1)) < 0)
			_exit(1);
		if (fds[0].revents) {
			if (relay_note(channel, jailer, packet))
				return;
		} else if (fds[1].revents) {
			_exit(0);
		}
	}
}

void parser_refuse(int channel, const struct error *error)
{
	struct note note = { .kind = NOTE_RESULT, .code = error ? error->code : ERR_INPUT };
	unsigned char packet[2 * NOTE_TEXT_SIZE];

	snprintf(note.text, sizeof(note.text), "%s",
		 error && error->message ? error->message : "request refused: it is malformed");
	if (packet_send(channel, packet, note_pack(&note, packet), NULL, 0, NULL) < 0)
		_exit(0);
}

_Noreturn void parser_run(int channel, int jailer)
{
	static unsigned char packet[PACKET_MAX];
	static struct task task;
	int none[PACKET_FDS_MAX];
	size_t n_none;

	/* Until then it may have to be another who answers what the front end sends. */
	if (packet_receive(jailer, packet, 1, none, &n_none, NULL) != 1)
		_exit(0);
	for (;;) {
		_cleanup_error_ struct error *err = NULL;
		int fds[PACKET_FDS_MAX];
		size_t count;
		ssize_t n = packet_receive(channel, packet, sizeof(packet), fds, &count, &err);

		if (n == 0 || (n < 0 && err && err->code != ERR_INPUT))
			_exit(0);
		if (n < 0 || !parser_translate(packet, (size_t)n, &task)) {
			task.operation = OP_NONE;
			COPY(task.none.why, err ? err->message : "it is malformed");
			close_all(fds, count);
			count = 0;
		}
		if (packet_send(jailer, &task, sizeof(task), fds, count, NULL) < 0)
			_exit(1);
		close_all(fds, count);
		relay(channel, jailer, packet);
	}
}
