#include "helper/parser/parser.h"

#include <poll.h>
#include <string.h>

#include "helper/parser/fields.h"
#include "helper/starter/privileges.h"
#include "proto/note.h"
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

/* Returns false if FROM (NULL counts as "") does not fit. */
static bool parser_copy_text(char *to, size_t size, const char *from)
{
	size_t length = from ? strlen(from) : 0;

	if (length >= size)
		return false;
	memcpy(to, from ? from : "", length + 1);
	return true;
}

static bool copy_hash(uint8_t to[static SHA256_LEN], const ProtobufCBinaryData *from)
{
	if (from->len != SHA256_LEN)
		return false;
	memcpy(to, from->data, SHA256_LEN);
	return true;
}

static bool parser_copy_words(struct words *to, size_t count, char *const *from)
{
	for (size_t i = 0; i < count; i++)
		if (!words_append(to, from[i]))
			return false;
	return true;
}

/* How protobuf-c stores each kind of field: rootlet.proto and requests.h must agree. */
static const struct {
	ProtobufCType type;
	ProtobufCLabel label;
} stored[] = {
	[FIELD_TEXT] = { PROTOBUF_C_TYPE_STRING, PROTOBUF_C_LABEL_NONE },
	[FIELD_NUMBER] = { PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_LABEL_NONE },
	[FIELD_FLAG] = { PROTOBUF_C_TYPE_BOOL, PROTOBUF_C_LABEL_NONE },
	[FIELD_HASH] = { PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_LABEL_NONE },
	[FIELD_WORDS] = { PROTOBUF_C_TYPE_STRING, PROTOBUF_C_LABEL_REPEATED },
	[FIELD_COMMAND] = { PROTOBUF_C_TYPE_STRING, PROTOBUF_C_LABEL_REPEATED },
};

/* Copies the field from MESSAGE to TASK. Returns false if it does not fit. */
static bool translate(const struct field *f, const ProtobufCMessage *message, char *task)
{
	const ProtobufCFieldDescriptor *d =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, f->name);
	const char *from = (const char *)message;
	char *to = task + f->offset;

	if (!d || d->type != stored[f->kind].type || d->label != stored[f->kind].label)
		return false;
	from += d->offset;
	switch (f->kind) {
	case FIELD_TEXT:
		return parser_copy_text(to, f->size, *(char *const *)(const void *)from);
	case FIELD_NUMBER:
		memcpy(to, from, sizeof(uint32_t));
		return true;
	case FIELD_FLAG:
		*to = *(const protobuf_c_boolean *)(const void *)from != 0;
		return true;
	case FIELD_HASH:
		return copy_hash((uint8_t *)to, (const void *)from);
	case FIELD_WORDS:
	case FIELD_COMMAND:
		return parser_copy_words((void *)to,
					 *(const size_t *)(const void *)((const char *)message +
									 d->quantifier_offset),
					 *(char *const *const *)(const void *)from);
	}
	return false;
}

#define SAME_NUMBER(NAME, ...)                                                                     \
	_Static_assert((int)OP_##NAME == (int)ROOTLET__REQUEST__KIND_##NAME,                       \
		       "requests.h must have the order of rootlet.proto");
REQUESTS(SAME_NUMBER)

/* task_check() checks whether each field is well-formed. */
bool parser_translate(const unsigned char *packet, size_t size, struct task *task)
{
	_cleanup_(request_free) Rootlet__Request *request =
		rootlet__request__unpack(NULL, size, packet);

	memset(task, 0, sizeof(*task));
	if (!request || request->kind_case == ROOTLET__REQUEST__KIND__NOT_SET)
		return false;
	task->operation = (uint32_t)request->kind_case;
	/* All members of the union are pointers to a message. */
	for (const struct field *f = task_fields(task->operation); f->name; f++)
		if (!translate(f, (const ProtobufCMessage *)request->hello, (char *)task))
			return false;
	return true;
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
		inspection.bytes = note->tree.census.bytes;
		inspection.files = note->tree.census.files;
		inspection.foreign = note->tree.census.foreign;
		inspection.fingerprint = note->tree.census.fingerprint;
		if (note->tree.digested) {
			inspection.digest.data = note->tree.digest.sum;
			inspection.digest.len = sizeof(note->tree.digest.sum);
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

/* Passes one note on. Returns 1 if it was a result, 0 if more follow. Ends the process if either
 * side is gone. */
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

/* Passes notes on until the result. A front end that sends anything or exits in the meantime ends
 * the session. This is how Ctrl-C reaches the jail. */
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

	/* Until the jailer is ready, another process may have to answer the front end. */
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
			snprintf(task.why, sizeof(task.why), "%s",
				 err ? err->message : "it is malformed");
			close_all(fds, count);
			count = 0;
		}
		if (packet_send(jailer, &task, sizeof(task), fds, count, NULL) < 0)
			_exit(1);
		close_all(fds, count);
		relay(channel, jailer, packet);
	}
}
