/* helper/parser/parser.c: how the front end's bytes become tasks, and the replies. An oversized
 * field of a request is refused, never truncated. */
#include "helper/parser/fields.h"
#include "helper/parser/parser.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/note.h"
#include "rootlet.pb-c.h"
#include "tap.h"

static struct task task;

/* Returns a word of LENGTH letters, in one of a few buffers. */
static char *word(size_t length)
{
	static char words[4][WORDS_BYTES_MAX + 8];
	static unsigned next;
	char *text = words[next++ % 4];

	memset(text, 'x', length);
	text[length] = '\0';
	return text;
}

static bool translate(const Rootlet__Request *r)
{
	static unsigned char packet[4 * PACKET_MAX];
	size_t size = rootlet__request__pack(r, packet);

	memset(&task, 0xa5, sizeof(task));
	return parser_translate(packet, size, &task);
}

#define REQUEST(kind, member, object)                                                              \
	((Rootlet__Request){ PROTOBUF_C_MESSAGE_INIT(&rootlet__request__descriptor),               \
			     .kind_case = ROOTLET__REQUEST__KIND_##kind,                           \
			     { .member = &(object) } })

/* A text FIELD: the maximum length, and one byte more. */
#define CHECK_FIELD(kind, member, object, field, into)                                             \
	do {                                                                                       \
		Rootlet__Request one = REQUEST(kind, member, object);                              \
		(object).field = word(sizeof(into) - 1);                                           \
		tap_check(translate(&one) && task.operation == OP_##kind &&                        \
				  strcmp((into), (object).field) == 0,                             \
			  #kind ": " #field " that just fits");                                    \
		(object).field = word(sizeof(into));                                               \
		tap_check(!translate(&one), #kind ": " #field " of a byte more is refused");       \
		(object).field = (char *)(uintptr_t) "";                                           \
		tap_check(translate(&one) && !*(into), #kind ": " #field " may be empty here");    \
	} while (0)

static void check_words(void)
{
	Rootlet__Begin begin = ROOTLET__BEGIN__INIT;
	Rootlet__Release release = ROOTLET__RELEASE__INIT;
	Rootlet__CheckRelease asked = ROOTLET__CHECK_RELEASE__INIT;
	Rootlet__Index index = ROOTLET__INDEX__INIT;
	Rootlet__AddGroup group = ROOTLET__ADD_GROUP__INIT;
	Rootlet__AddUser user = ROOTLET__ADD_USER__INIT;
	Rootlet__Remove gone = ROOTLET__REMOVE__INIT;
	Rootlet__Execute execute = ROOTLET__EXECUTE__INIT;
	Rootlet__Clone clone = ROOTLET__CLONE__INIT;
	Rootlet__Keep keep = ROOTLET__KEEP__INIT;
	Rootlet__BuildImage image = ROOTLET__BUILD_IMAGE__INIT;
	Rootlet__Hello hello = ROOTLET__HELLO__INIT;
	Rootlet__Read text = ROOTLET__READ__INIT;

	CHECK_FIELD(HELLO, hello, hello, purpose, task.hello.purpose);
	CHECK_FIELD(READ, read, text, file, task.read.file);
	CHECK_FIELD(BEGIN, begin, begin, name, task.begin.name);
	CHECK_FIELD(BEGIN, begin, begin, suite, task.begin.suite);
	CHECK_FIELD(BEGIN, begin, begin, arch, task.begin.arch);
	CHECK_FIELD(BEGIN, begin, begin, engine, task.begin.engine);
	CHECK_FIELD(RELEASE, release, release, pocket, task.release.pocket);
	CHECK_FIELD(RELEASE, release, release, mirror, task.release.mirror);
	CHECK_FIELD(CHECK_RELEASE, check_release, asked, suite, task.check_release.suite);
	CHECK_FIELD(CHECK_RELEASE, check_release, asked, pocket, task.check_release.pocket);
	CHECK_FIELD(CHECK_RELEASE, check_release, asked, mirror, task.check_release.mirror);
	CHECK_FIELD(INDEX, index, index, pocket, task.index.pocket);
	CHECK_FIELD(INDEX, index, index, component, task.index.component);
	CHECK_FIELD(ADD_GROUP, add_group, group, name, task.add_group.name);
	CHECK_FIELD(ADD_USER, add_user, user, name, task.add_user.name);
	CHECK_FIELD(ADD_USER, add_user, user, home, task.add_user.home);
	CHECK_FIELD(ADD_USER, add_user, user, shell, task.add_user.shell);
	CHECK_FIELD(REMOVE, remove, gone, name, task.remove.name);
	CHECK_FIELD(EXECUTE, execute, execute, user, task.execute.user);
	CHECK_FIELD(CLONE, clone, clone, name, task.clone.name);
	CHECK_FIELD(CLONE, clone, clone, base_name, task.clone.base_name);
	CHECK_FIELD(KEEP, keep, keep, name, task.keep.name);
	CHECK_FIELD(BUILD_IMAGE, build_image, image, format, task.build_image.format);
}

static void check_package(void)
{
	Rootlet__Package package = ROOTLET__PACKAGE__INIT;
	Rootlet__Request r = REQUEST(PACKAGE, package, package);
	uint8_t sum[SHA256_LEN + 1];

	memset(sum, 7, sizeof(sum));
	package.sha256.data = sum;
	package.sha256.len = SHA256_LEN;
	CHECK_FIELD(PACKAGE, package, package, name, task.package.name);
	tap_check(translate(&r) && memcmp(task.package.sha256, sum, SHA256_LEN) == 0,
		  "PACKAGE: its hash");
	for (size_t length = SHA256_LEN - 1; length <= SHA256_LEN + 1; length += 2) {
		package.sha256.len = length;
		tap_check(!translate(&r), "PACKAGE: a hash of %zu bytes is refused", length);
	}
}

static void check_flags(void)
{
	Rootlet__Release release = ROOTLET__RELEASE__INIT;
	Rootlet__Publish publish = ROOTLET__PUBLISH__INIT;
	Rootlet__Inspect inspect = ROOTLET__INSPECT__INIT;
	Rootlet__Remove gone = ROOTLET__REMOVE__INIT;
	Rootlet__Request r;

	for (int set = 0; set < 2; set++) {
		release.older = publish.replace = gone.stale = inspect.deep = set;
		inspect.digest = !set;
		r = REQUEST(RELEASE, release, release);
		tap_check(translate(&r) && task.release.older == set, "RELEASE: older: %d", set);
		r = REQUEST(PUBLISH, publish, publish);
		tap_check(translate(&r) && task.publish.replace == set, "PUBLISH: replace: %d",
			  set);
		r = REQUEST(REMOVE, remove, gone);
		tap_check(translate(&r) && task.remove.stale == set, "REMOVE: stale: %d", set);
		r = REQUEST(INSPECT, inspect, inspect);
		tap_check(translate(&r) && task.inspect.deep == set && task.inspect.digest == !set,
			  "INSPECT: deep: %d", set);
	}
}

static void check_numbers(void)
{
	Rootlet__Hello hello = ROOTLET__HELLO__INIT;
	Rootlet__AddGroup group = ROOTLET__ADD_GROUP__INIT;
	Rootlet__AddUser user = ROOTLET__ADD_USER__INIT;
	Rootlet__Request r;

	hello.version = 77;
	group.gid = 4294967295u;
	user.uid = 1000;
	user.gid = 4294967294u;
	r = REQUEST(HELLO, hello, hello);
	tap_check(translate(&r) && task.operation == OP_HELLO && task.hello.version == 77,
		  "HELLO: its version");
	r = REQUEST(ADD_GROUP, add_group, group);
	tap_check(translate(&r) && task.add_group.gid == 4294967295u, "ADD_GROUP: its id");
	r = REQUEST(ADD_USER, add_user, user);
	tap_check(translate(&r) && task.add_user.uid == 1000 && task.add_user.gid == 4294967294u,
		  "ADD_USER: its ids");
}

static void check_empty(void)
{
	Rootlet__Bootstrap bootstrap = ROOTLET__BOOTSTRAP__INIT;
	Rootlet__Verify verify = ROOTLET__VERIFY__INIT;
	Rootlet__OpenNamespace space = ROOTLET__OPEN_NAMESPACE__INIT;
	Rootlet__Request r = REQUEST(BOOTSTRAP, bootstrap, bootstrap);
	Rootlet__Request nothing = ROOTLET__REQUEST__INIT;

	tap_check(translate(&r) && task.operation == OP_BOOTSTRAP, "BOOTSTRAP");
	r = REQUEST(VERIFY, verify, verify);
	tap_check(translate(&r) && task.operation == OP_VERIFY, "VERIFY");
	r = REQUEST(OPEN_NAMESPACE, open_namespace, space);
	tap_check(translate(&r) && task.operation == OP_OPEN_NAMESPACE, "OPEN_NAMESPACE");
	tap_check(!translate(&nothing), "a request without a kind is refused");
	tap_check(!parser_translate((const unsigned char *)"\xff\xff\xff", 3, &task),
		  "invalid bytes are refused");
	tap_check(!parser_translate((const unsigned char *)"", 0, &task),
		  "an empty packet is refused");
	tap_check(task.operation == OP_NONE, "a refusal leaves no task");
}

/* --- the table ------------------------------------------------------------------------------- */

static unsigned count_fields(uint32_t operation)
{
	unsigned count = 0;

	for (const struct field *f = task_fields(operation); f->name; f++)
		count++;
	return count;
}

/* A field of rootlet.proto that requests.h does not have would go unchecked. */
static void check_table(void)
{
	const ProtobufCMessageDescriptor *request = &rootlet__request__descriptor;

	tap_check(request->n_fields == OP_COUNT - 1, "as many rows as requests");
	for (unsigned i = 0; i < request->n_fields; i++) {
		const ProtobufCMessageDescriptor *d = request->fields[i].descriptor;

		tap_check(count_fields(request->fields[i].id) == d->n_fields,
			  "%s: as many fields in requests.h as in rootlet.proto", d->short_name);
	}
	tap_check(!task_fields(OP_COUNT)->name && !task_fields(UINT32_MAX)->name,
		  "an unknown request has no fields");
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool same_words(const struct words *words, char *const *wanted, size_t count)
{
	const char *one = NULL;

	for (size_t i = 0; i < count; i++) {
		one = words_next(words, one);
		if (!one || strcmp(one, wanted[i]) != 0)
			return false;
	}
	return words_sound(words) && words->count == count && !words_next(words, one);
}

static void check_lists(void)
{
	static char *list[] = { (char *)(uintptr_t) "-/usr/*", (char *)(uintptr_t) "",
				(char *)(uintptr_t) "two words" };
	Rootlet__Begin begin = ROOTLET__BEGIN__INIT;
	Rootlet__AddUser user = ROOTLET__ADD_USER__INIT;
	Rootlet__Execute execute = ROOTLET__EXECUTE__INIT;
	Rootlet__Find find = ROOTLET__FIND__INIT;
	Rootlet__Request r;

	begin.filters = user.groups = execute.argv = find.paths = list;
	for (size_t count = 0; count <= 3; count++) {
		begin.n_filters = user.n_groups = execute.n_argv = find.n_paths = count;
		execute.terminal = count == 1;
		r = REQUEST(BEGIN, begin, begin);
		tap_check(translate(&r) && same_words(&task.begin.filters, list, count),
			  "BEGIN: %zu filters", count);
		r = REQUEST(ADD_USER, add_user, user);
		tap_check(translate(&r) && same_words(&task.add_user.groups, list, count),
			  "ADD_USER: %zu groups", count);
		r = REQUEST(EXECUTE, execute, execute);
		tap_check(translate(&r) && same_words(&task.execute.argv, list, count) &&
				  task.execute.terminal == (count == 1),
			  "EXECUTE: %zu words", count);
		r = REQUEST(FIND, find, find);
		tap_check(translate(&r) && same_words(&task.find.paths, list, count),
			  "FIND: %zu paths", count);
	}
}

static void check_long_lists(void)
{
	Rootlet__Execute execute = ROOTLET__EXECUTE__INIT;
	Rootlet__Request r = REQUEST(EXECUTE, execute, execute);
	char *argv[] = { (char *)(uintptr_t) "w", word(WORDS_BYTES_MAX - 3) };
	_cleanup_error_ struct error *err = NULL;

	execute.argv = argv;
	execute.n_argv = 2;
	tap_check(translate(&r) && task.execute.argv.bytes == WORDS_BYTES_MAX,
		  "EXECUTE: words of the maximum length");
	argv[1] = word(WORDS_BYTES_MAX - 2);
	tap_check(!translate(&r), "EXECUTE: one byte more is refused");
	{
		char *many[ARGV_MAX + 1];

		for (size_t i = 0; i <= ARGV_MAX; i++)
			many[i] = argv[0];
		execute.argv = many;
		execute.n_argv = ARGV_MAX + 1;
		execute.user = (char *)(uintptr_t) "root";
		tap_check(translate(&r) && task_check(&task, &err) < 0 && err->code == ERR_INPUT,
			  "EXECUTE: too many words are refused");
	}
}

/* --- the process ----------------------------------------------------------------------------- */

struct process {
	pid_t pid;
	int front, jailer; /* our ends */
};

static struct process start(void)
{
	struct process p;
	int channel[2], work[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, work) < 0)
		exit(1);
	p.pid = fork();
	if (p.pid == 0) {
		close(channel[0]);
		close(work[0]);
		parser_run(channel[1], work[1]);
	}
	close(channel[1]);
	close(work[1]);
	p.front = channel[0];
	p.jailer = work[0];
	return p;
}

static int end(struct process *p)
{
	int status = -1;

	close(p->front);
	close(p->jailer);
	waitpid(p->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool send_hello(const struct process *p, bool whole)
{
	Rootlet__Hello hello = ROOTLET__HELLO__INIT;
	Rootlet__Request r = REQUEST(HELLO, hello, hello);
	unsigned char packet[64];
	size_t size;
	int fd = 0;

	hello.version = 3;
	size = rootlet__request__pack(&r, packet);
	return packet_send(p->front, packet, whole ? size : 1, &fd, 1, NULL) == 0;
}

/* The jailer receives the operation and the number of descriptors. */
static uint32_t receive_task(const struct process *p, size_t *count)
{
	int fds[PACKET_FDS_MAX];

	if (packet_receive(p->jailer, &task, sizeof(task), fds, count, NULL) != sizeof(task))
		return UINT32_MAX;
	for (size_t i = 0; i < *count; i++)
		close(fds[i]);
	return task.operation;
}

static Rootlet__Reply *receive_reply(const struct process *p)
{
	unsigned char packet[PACKET_MAX];
	int fds[PACKET_FDS_MAX];
	size_t count;
	ssize_t n = packet_receive(p->front, packet, sizeof(packet), fds, &count, NULL);

	for (size_t i = 0; n > 0 && i < count; i++)
		close(fds[i]);
	return n > 0 ? rootlet__reply__unpack(NULL, (size_t)n, packet) : NULL;
}

static bool answer(const struct process *p, struct note *note)
{
	return packet_send(p->jailer, note, sizeof(*note), NULL, 0, NULL) == 0;
}

/* Notes of each kind become replies; the next request comes after the result. */
static void check_notes(struct process *p)
{
	struct note notes[] = {
		{ .kind = NOTE_HELLO, .ids = { 1, 2, 65535 }, .text = "user" },
		{ .kind = NOTE_PROGRESS, .progress = { 5, 9 }, .text = "stage" },
		{ .kind = NOTE_LOG, .text = "line" },
		{ .kind = NOTE_INSPECTION,
		  .tree = { .census = { .bytes = 1, .files = 2, .fingerprint = 3, .foreign = 4 },
			    .digested = 1,
			    .digest = { .sum = { 9 } } } },
		{ .kind = NOTE_INSPECTION, .tree.census.bytes = 1 },
		{ .kind = NOTE_RESULT, .code = ERR_TRUST, .number = 7, .status = 8, .text = "why" },
	};
	Rootlet__Reply *r[6];
	bool good;

	for (size_t i = 0; i < 6; i++)
		r[i] = answer(p, &notes[i]) ? receive_reply(p) : NULL;
	good = r[0] && r[1] && r[2] && r[3] && r[4] && r[5];
	tap_check(good, "each note is a reply");
	if (!good)
		return;
	tap_check(r[0]->kind_case == ROOTLET__REPLY__KIND_HELLO && r[0]->hello->first_uid == 1 &&
			  r[0]->hello->first_gid == 2 && r[0]->hello->count == 65535 &&
			  strcmp(r[0]->hello->mode, "user") == 0,
		  "HELLO: the range of ids and the mode");
	tap_check(r[1]->kind_case == ROOTLET__REPLY__KIND_PROGRESS && r[1]->progress->done == 5 &&
			  r[1]->progress->total == 9 && strcmp(r[1]->progress->stage, "stage") == 0,
		  "PROGRESS");
	tap_check(r[2]->kind_case == ROOTLET__REPLY__KIND_LOG &&
			  strcmp(r[2]->log->line, "line") == 0,
		  "LOG");
	tap_check(r[3]->kind_case == ROOTLET__REPLY__KIND_INSPECTION &&
			  r[3]->inspection->bytes == 1 && r[3]->inspection->files == 2 &&
			  r[3]->inspection->fingerprint == 3 && r[3]->inspection->foreign == 4 &&
			  r[3]->inspection->digest.len == SHA256_LEN &&
			  r[3]->inspection->digest.data[0] == 9,
		  "INSPECTION, with a digest");
	tap_check(r[4]->inspection->digest.len == 0, "INSPECTION, without one");
	tap_check(r[5]->kind_case == ROOTLET__REPLY__KIND_RESULT &&
			  r[5]->result->code == (int)ERR_TRUST && r[5]->result->number == 7 &&
			  r[5]->result->status == 8 && strcmp(r[5]->result->message, "why") == 0,
		  "RESULT");
	for (size_t i = 0; i < 6; i++)
		rootlet__reply__free_unpacked(r[i], NULL);
}

static void check_process(void)
{
	struct process p = start();
	struct note strange = { .kind = 99, .code = ERR_HOST };
	struct pollfd waiting = { .fd = p.jailer, .events = POLLIN };
	Rootlet__Reply *reply;
	size_t count;

	tap_check(send_hello(&p, true) && poll(&waiting, 1, 300) == 0,
		  "nothing is parsed before the jailer allows it");
	packet_send(p.jailer, "", 1, NULL, 0, NULL);
	tap_check(receive_task(&p, &count) == OP_HELLO && task.hello.version == 3 && count == 1,
		  "a request becomes a task with its descriptors");
	check_notes(&p);
	tap_check(send_hello(&p, false) && receive_task(&p, &count) == OP_NONE && count == 0 &&
			  strcmp(task.why, "it is malformed") == 0,
		  "invalid bytes become a task without a kind and descriptors");
	reply = answer(&p, &strange) ? receive_reply(&p) : NULL;
	tap_check(reply && reply->kind_case == ROOTLET__REPLY__KIND_RESULT &&
			  reply->result->code == (int)ERR_HOST,
		  "a note of an unknown kind is a result");
	rootlet__reply__free_unpacked(reply, NULL);
	close(p.jailer);
	p.jailer = -1;
	send_hello(&p, true);
	tap_check(end(&p) == 1, "the parser exits with the jailer");
}

/* A request while one is being answered ends the session. */
static void check_impatience(void)
{
	struct process p = start();
	size_t count;

	packet_send(p.jailer, "", 1, NULL, 0, NULL);
	tap_check(send_hello(&p, true) && receive_task(&p, &count) == OP_HELLO &&
			  send_hello(&p, true) && receive_reply(&p) == NULL,
		  "a second request before the answer ends the session");
	end(&p);
	p = start();
	packet_send(p.jailer, "", 1, NULL, 0, NULL);
	shutdown(p.front, SHUT_RDWR);
	tap_check(receive_task(&p, &count) == UINT32_MAX && end(&p) == 0,
		  "the parser exits with the front end");
}

static void check_refusal(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct process p = { .pid = -1 };
	Rootlet__Reply *reply;
	int channel[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		exit(1);
	p.front = channel[0];
	error_set(&err, ERR_REFUSED, "not you");
	parser_refuse(channel[1], err);
	reply = receive_reply(&p);
	tap_check(reply && reply->result->code == (int)ERR_REFUSED &&
			  strcmp(reply->result->message, "not you") == 0,
		  "a session is refused with a reason");
	rootlet__reply__free_unpacked(reply, NULL);
	parser_refuse(channel[1], NULL);
	reply = receive_reply(&p);
	tap_check(reply && reply->result->code == (int)ERR_INPUT,
		  "a session is refused without a reason");
	rootlet__reply__free_unpacked(reply, NULL);
	close(channel[0]);
	close(channel[1]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(50);
	check_words();
	check_package();
	check_flags();
	check_numbers();
	check_empty();
	check_table();
	check_lists();
	check_long_lists();
	check_process();
	check_impatience();
	check_refusal();
	return tap_done();
}
