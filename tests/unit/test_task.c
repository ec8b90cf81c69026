/* helper/parser/fields.c: tasks are checked field by field, and their description for the
 * audit log marks anything it leaves out. */
#include "helper/parser/fields.h"

#include <sys/socket.h>
#include <unistd.h>

#include "proto/note.h"
#include "tap.h"

static struct task task;

#define SET(field, text) snprintf((field), sizeof(field), "%s", (text))
/* Unterminated bytes, which our parser never sends. */
#define FILL(field) memset((field), 'x', sizeof(field))

static void begin(void)
{
	memset(&task, 0, sizeof(task));
	task.operation = OP_BEGIN;
	SET(task.begin.name, "test-rootfs");
	SET(task.begin.suite, "jammy");
	SET(task.begin.arch, "amd64");
	SET(task.begin.engine, "native");
	words_append(&task.begin.filters, "-/usr/share/doc/*");
	words_append(&task.begin.filters, "+/usr/share/doc/*/copyright");
}

static void user(void)
{
	memset(&task, 0, sizeof(task));
	task.operation = OP_ADD_USER;
	SET(task.add_user.name, "fsqa");
	task.add_user.uid = 1000;
	task.add_user.gid = 1001;
	SET(task.add_user.home, "/home/fsqa");
	SET(task.add_user.shell, "/bin/bash");
	words_append(&task.add_user.groups, "fsgqa");
	words_append(&task.add_user.groups, "audio");
}

static void execute(void)
{
	memset(&task, 0, sizeof(task));
	task.operation = OP_EXECUTE;
	SET(task.execute.user, "root");
	words_append(&task.execute.argv, "ls");
	words_append(&task.execute.argv, "-l");
}

static void one_word(enum operation operation)
{
	memset(&task, 0, sizeof(task));
	task.operation = operation;
}

/* NULL: it is accepted. */
static void check(const char *what, const char *says)
{
	_cleanup_error_ struct error *err = NULL;
	int r = task_check(&task, &err);

	if (!says)
		tap_check(r == 0 && !err, "%s", what);
	else
		tap_check(r == -1 && err && err->code == ERR_INPUT && strstr(err->message, says),
			  "%s: refused: %s", what, err ? err->message : "taken");
}

#define CHECK_FIELD(make, field, bad, says)                                                        \
	do {                                                                                       \
		make;                                                                              \
		SET(field, bad);                                                                   \
		check(#field " \"" bad "\"", says);                                                \
		make;                                                                              \
		FILL(field);                                                                       \
		check(#field " without an end", says);                                             \
	} while (0)

/* Adds BAD to a list; then tries a list with one GOOD word too many; then input that our parser
 * never sends: a wrong count, an unterminated last word, too many bytes. */
#define CHECK_WORDS(make, words, bad, good, most, says)                                            \
	do {                                                                                       \
		make;                                                                              \
		words_append(&(words), bad);                                                       \
		check(#words " with \"" bad "\"", says);                                           \
		make;                                                                              \
		while ((words).count < (most))                                                     \
			words_append(&(words), good);                                              \
		check(#words ": as many as there may be", NULL);                                   \
		words_append(&(words), good);                                                      \
		check(#words ": one more", "number of words");                                     \
		CHECK_NUMBER(make, (words).count, (words).count + 1, "number of words");           \
		CHECK_NUMBER(make, (words).count, (words).count - 1, "number of words");           \
		CHECK_NUMBER(make, (words).text[(words).bytes - 1], 'x', "number of words");       \
		CHECK_NUMBER(make, (words).bytes, WORDS_BYTES_MAX + 1, "number of words");         \
		CHECK_NUMBER(make, (words).bytes, UINT32_MAX, "number of words");                  \
		CHECK_NUMBER(make, (words).bytes, 0, "number of words");                           \
	} while (0)

#define CHECK_NUMBER(make, field, bad, says)                                                       \
	do {                                                                                       \
		make;                                                                              \
		(field) = bad;                                                                     \
		check(#field " " #bad, says);                                                      \
	} while (0)

static void check_begin(void)
{
	begin();
	check("a whole Begin", NULL);
	CHECK_FIELD(begin(), task.begin.name, "../x", "rootfs name");
	CHECK_FIELD(begin(), task.begin.suite, "jam my", "suite");
	CHECK_FIELD(begin(), task.begin.arch, "-x", "architecture");
	CHECK_FIELD(begin(), task.begin.engine, "other", "engine");
	CHECK_WORDS(begin(), task.begin.filters, "-relative", "-/x", FILTERS_MAX, "filter");
	CHECK_WORDS(begin(), task.begin.filters, "/neither", "+/x", FILTERS_MAX, "filter");
	begin();
	SET(task.begin.engine, "debootstrap");
	check("the other engine", NULL);
}

static void check_user(void)
{
	user();
	check("a whole AddUser", NULL);
	CHECK_FIELD(user(), task.add_user.name, "-x", "user name");
	CHECK_FIELD(user(), task.add_user.home, "home", "home directory");
	CHECK_FIELD(user(), task.add_user.shell, "/bin/../x", "shell");
	CHECK_NUMBER(user(), task.add_user.uid, 65535, "user id");
	CHECK_NUMBER(user(), task.add_user.gid, 65535, "group id");
	CHECK_WORDS(user(), task.add_user.groups, "a b", "audio", GROUPS_MAX, "group name");
}

static void check_execute(void)
{
	execute();
	check("a whole Execute", NULL);
	SET(task.execute.user, "fsqa");
	check("as a user", NULL);
	CHECK_FIELD(execute(), task.execute.user, "a:b", "user name");
	CHECK_WORDS(execute(), task.execute.argv, "", "w", ARGV_MAX, NULL);
	execute();
	task.execute.argv = (struct words){ 0 };
	check("no command", "number of words");
	words_append(&task.execute.argv, "");
	words_append(&task.execute.argv, "x");
	check("a command without a name", "program name");
}

static void find(void)
{
	one_word(OP_FIND);
	words_append(&task.find.paths, "/bin/sh");
	words_append(&task.find.paths, "/etc");
}

static void check_find(void)
{
	find();
	check("a whole Find", NULL);
	CHECK_WORDS(find(), task.find.paths, "x/y", "/x", FIND_MAX, "path");
	one_word(OP_FIND);
	check("no path", "number of words");
}

static void check_publish(void)
{
	static const uint32_t modes[] = { 0, 0500, 0701, 0711, 0750, 0777, 04755 };

	one_word(OP_PUBLISH);
	task.publish.mode = 0700;
	check("a closed rootfs", NULL);
	task.publish.mode = 0755;
	check("an open rootfs", NULL);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		task.publish.mode = modes[i];
		check("another mode", "mode");
	}
}

static void check_others(void)
{
	static const enum operation empty[] = { OP_BOOTSTRAP, OP_OPEN, OP_INSPECT,
						OP_OPEN_NAMESPACE, OP_VERIFY };
	static const struct {
		const char *mirror;
		bool good;
	} mirrors[] = {
		{ "", true },
		{ "http://archive.example.org/debian", true },
		{ "https://[::1]:8000/~x", true },
		{ "file:///srv/mirror", true },
		{ "file://host/srv", false },
		{ "ftp://example.org", false },
		{ "http://a b", false },
		{ "http://a\x7f", false },
		{ "http://\xc3\xa9", false },
	};

	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		one_word(empty[i]);
		check("a request without fields", NULL);
	}
	CHECK_FIELD(one_word(OP_HELLO), task.hello.purpose, "a b", "purpose");
	one_word(OP_NONE);
	SET(task.why, "it is malformed");
	check("no request", "it is malformed");
	one_word(OP_CHECK_RELEASE);
	SET(task.check_release.suite, "jammy");
	check("a whole CheckRelease", NULL);
	SET(task.check_release.suite, "../x");
	check("CheckRelease: suite", "suite");
	SET(task.check_release.suite, "jammy");
	SET(task.check_release.pocket, "proposed");
	check("CheckRelease: pocket", "pocket");
	SET(task.check_release.pocket, "security");
	SET(task.check_release.mirror, "ftp://example.org");
	check("CheckRelease: mirror", "mirror");
	one_word(OP_COUNT);
	check("an operation that nobody knows", "unknown request");
	for (size_t i = 0; i < sizeof(mirrors) / sizeof(*mirrors); i++) {
		one_word(OP_RELEASE);
		SET(task.release.mirror, mirrors[i].mirror);
		check(mirrors[i].mirror, mirrors[i].good ? NULL : "mirror");
	}
	one_word(OP_RELEASE);
	FILL(task.release.mirror);
	memcpy(task.release.mirror, "http://", 7);
	check("a mirror without an end", "mirror");
	CHECK_FIELD(one_word(OP_RELEASE), task.release.pocket, "backports", "pocket");
	one_word(OP_RELEASE);
	SET(task.release.pocket, "security");
	check("a pocket", NULL);
	one_word(OP_INDEX);
	SET(task.index.component, "main");
	SET(task.index.pocket, "updates");
	check("a whole Index", NULL);
	CHECK_FIELD(one_word(OP_INDEX), task.index.pocket, "x", "pocket");
	CHECK_FIELD(one_word(OP_INDEX), task.index.component, "", "component");
	CHECK_FIELD(one_word(OP_PACKAGE), task.package.name, "a/b", "package name");
	CHECK_FIELD(one_word(OP_ADD_GROUP), task.add_group.name, "", "group name");
	one_word(OP_ADD_GROUP);
	SET(task.add_group.name, "fsgqa");
	task.add_group.gid = 65535;
	check("a group's id", "group id");
	task.add_group.gid = 65533;
	check("a whole AddGroup", NULL);
	CHECK_FIELD(one_word(OP_REMOVE), task.remove.name, "..", "rootfs name");
	CHECK_FIELD(one_word(OP_KEEP), task.keep.name, "a/b", "snapshot name");
	CHECK_FIELD(one_word(OP_BUILD_IMAGE), task.build_image.format, "a b", "image format");
	one_word(OP_CLONE);
	SET(task.clone.name, "one");
	SET(task.clone.base_name, "two");
	check("a whole Clone", NULL);
	SET(task.clone.base_name, ".");
	check("a clone with an invalid base name", "snapshot name");
	SET(task.clone.name, "");
	check("a clone without a name", "rootfs name");
}

/* --- the audit record ---
 * --------------------------------------------------------------------------- */

static void describe(const char *dirs, size_t size, const char *wanted)
{
	char text[1024];

	memset(text, '#', sizeof(text));
	task_describe(&task, dirs, text, size);
	tap_check(strcmp(text, wanted) == 0 && text[size] == '#', "the audit record has: %s", text);
}

static void check_descriptions(void)
{
	begin();
	describe("folder=/x ", 1000,
		 "folder=/x name=test-rootfs suite=jammy arch=amd64 engine=native "
		 "filters=-/usr/share/doc/*,+/usr/share/doc/*/copyright epoch=0");
	task.begin.filters.bytes = UINT32_MAX;
	describe("", 1000,
		 "name=test-rootfs suite=jammy arch=amd64 engine=native filters=(2) epoch=0");
	begin();
	describe("", 20, "name=test-rootfs...");
	user();
	describe("", 1000,
		 "name=fsqa uid=1000 gid=1001 home=/home/fsqa shell=/bin/bash groups=fsgqa,audio");
	execute();
	describe("", 1000, "user=root terminal=0 argv=ls -l");
	one_word(OP_PUBLISH);
	task.publish.replace = 1;
	task.publish.mode = 0755;
	describe("", 1000, "replace=1 keep_old=0 mode=0755");
	one_word(OP_READ);
	SET(task.read.file, "manifest");
	describe("", 1000, "file=manifest");
	find();
	describe("", 1000, "paths=/bin/sh,/etc");
	one_word(OP_REMOVE);
	SET(task.remove.name, "x");
	task.remove.stale = 1;
	describe("", 1000, "name=x stale=1");
	one_word(OP_RELEASE);
	SET(task.release.mirror, "http://x");
	task.release.older = 1;
	describe("", 1000, "pocket= mirror=http://x older=1 dated=0");
	one_word(OP_INSPECT);
	task.inspect.digest = 1;
	describe("", 1000, "deep=0 digest=1");
	one_word(OP_CLONE);
	FILL(task.clone.name);
	SET(task.clone.base_name, "b");
	{
		char wanted[1024];

		snprintf(wanted, sizeof(wanted), "name=%.*s base_name=b epoch=0",
			 (int)sizeof(task.clone.name), task.clone.name);
		describe("", 1000, wanted);
	}
	one_word(OP_BOOTSTRAP);
	describe("folder=/x ", 1000, "folder=/x");
	one_word(OP_HELLO);
	task.hello.version = 3;
	SET(task.hello.purpose, "create");
	describe("", 1000, "version=3 purpose=create");
	one_word(OP_PACKAGE);
	SET(task.package.name, "toy");
	describe("", 1000,
		 "name=toy sha256="
		 "0000000000000000000000000000000000000000000000000000000000000000");
}

/* --- notes ----------------------------------------------------------------------------------- */

static bool receive(int socket, struct note *note, size_t *count)
{
	int fds[PACKET_FDS_MAX];

	if (packet_receive(socket, note, sizeof(*note), fds, count, NULL) != sizeof(*note))
		return false;
	for (size_t i = 0; i < *count; i++)
		close(fds[i]);
	return true;
}

static void check_notes(void)
{
	_cleanup_error_ struct error *err = NULL, *back = NULL;
	struct note note = { 0 };
	size_t count = 9;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	note = (struct note){ .kind = NOTE_PROGRESS, .progress = { 3, 4 }, .text = "stage" };
	note_send(ends[0], &note, -1);
	note = (struct note){ 0 };
	tap_check(receive(ends[1], &note, &count) && note.kind == NOTE_PROGRESS && count == 0 &&
			  note.progress.done == 3 && note.progress.total == 4 &&
			  strcmp(note.text, "stage") == 0,
		  "progress");
	error_set(&err, ERR_BUSY, "in use");
	note_result(ends[0], err, 7);
	tap_check(receive(ends[1], &note, &count) && note.kind == NOTE_RESULT && note.status == 7 &&
			  note_error(&note, &back) == -1 && back->code == ERR_BUSY &&
			  strcmp(back->message, "in use") == 0,
		  "a failure");
	error_free(&back);
	note_result(ends[0], NULL, 0);
	tap_check(receive(ends[1], &note, &count) && note_error(&note, &back) == 0 && !back,
		  "a success");
	note_set_error(&note, NULL);
	tap_check(note.code == ERR_SPACE && strcmp(note.text, "out of memory") == 0,
		  "an error for which there was no memory");
	note.code = 4711;
	memset(note.text, 'x', sizeof(note.text));
	tap_check(note_error(&note, &back) == -1 && back->code == ERR_SYSTEM &&
			  strlen(back->message) == sizeof(note.text) - 1,
		  "a code and a text that our processes never send");
	tap_check(note_send(ends[0], &note, 0) == 0 && receive(ends[1], &note, &count) &&
			  count == 1,
		  "a note with a descriptor");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	check_begin();
	check_user();
	check_execute();
	check_publish();
	check_find();
	check_others();
	check_descriptions();
	check_notes();
	return tap_done();
}
