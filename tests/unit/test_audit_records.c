/* helper/audit/audit.c and its backend for files: the chain of records in a file that other
 * helpers also write, and the process that outlives a killed request. */
#include "helper/audit/audit.h"
#include "helper/jailer/audit_client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/hash.h"
#include "lib/write_all.h"
#include "tap.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static char path[] = "/tmp/rootlet-test-audit.XXXXXX";
static struct policy policy = { .path = "/etc/rootlet/policy.conf", .file = (char[]){ "none" } };
static struct session session = {
	.mode = MODE_USER,
	.policy = &policy,
	.grant.caller = { .uid = 1000, .gid = 100, .name = "you" },
	.front_end = 77,
	.login_uid = UINT32_MAX,
	.audit_session = 5,
};

static int open_log(int more)
{
	return open(path, O_RDWR | O_APPEND | O_CLOEXEC | more);
}

/* A separate helper, positioned at the end of the log. */
static struct audit begin(int fd)
{
	struct audit a = { .session = &session, .fds = { fd, -1, -1 } };

	memset(a.last.hash, '0', sizeof(a.last.hash) - 1);
	return a;
}

static struct record record(enum record_kind kind, const char *request)
{
	struct record r = { .kind = kind, .code = ERR_NONE };

	snprintf(r.request, sizeof(r.request), "%s", request);
	snprintf(r.rule, sizeof(r.rule), "allow you");
	return r;
}

/* Returns line I of the log, counted from 0, without its newline; "" if missing. */
static const char *line_at(size_t i)
{
	static char text[1 << 16];
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *line = text;

	text[n > 0 ? n : 0] = '\0';
	for (; line && i; i--)
		if ((line = strchr(line, '\n')))
			line++;
	if (!line || !strchr(line, '\n'))
		return "";
	*strchr(line, '\n') = '\0';
	return line;
}

static size_t lines(void)
{
	size_t count = 0;

	while (*line_at(count))
		count++;
	return count;
}

/* Returns a field of line I as text, which the caller frees. */
static char *field(size_t i, const char *name)
{
	json_t *object = json_loads(line_at(i), 0, NULL);
	const json_t *value = json_object_get(object, name);
	char *text = NULL;

	if (json_is_string(value))
		text = strdup(json_string_value(value));
	else if (json_is_integer(value) &&
		 asprintf(&text, "%lld", (long long)json_integer_value(value)) < 0)
		text = NULL;
	else if (json_is_true(value))
		text = strdup("true");
	json_decref(object);
	return text ? text : strdup("(none)");
}

static bool field_is(size_t i, const char *name, const char *wanted)
{
	_cleanup_free_ char *text = field(i, name);
	bool same = tap_same(text, wanted);

	if (!same)
		printf("# %s of line %zu: %s, not %s\n", name, i, text ? text : "(nothing)",
		       wanted);
	return same;
}

/* Whether line I has the right hash, and its predecessor has hash PREV. */
static bool is_chained(size_t i, const char *prev)
{
	const char *line = line_at(i), *key = strstr(line, ",\"hash\":\"");
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	if (!key)
		return false;
	hash_of(line, (size_t)(key - line), sum);
	sha256_to_hex(sum, hex);
	return field_is(i, "hash", hex) && field_is(i, "prev", prev);
}

static bool follows(size_t i)
{
	_cleanup_free_ char *before = field(i - 1, "hash");

	return is_chained(i, before);
}

static void check_chain(void)
{
	_cleanup_close_ int fd = open_log(0), other = open_log(0);
	struct audit a = begin(fd), b = begin(other);
	struct record r = record(RECORD_INTENT, "Begin");

	tap_check(audit_write(&a, &r, NULL) == 0 && is_chained(0, ZEROS) &&
			  field_is(0, "seq", "1") && field_is(0, "kind", "intent") &&
			  field_is(0, "request", "Begin") && field_is(0, "decision", "allowed") &&
			  field_is(0, "rule", "allow you") && field_is(0, "result", "(none)"),
		  "an intent, the first of a log");
	tap_check(field_is(0, "mode", "user") && field_is(0, "user", "you") &&
			  field_is(0, "uid", "1000") && field_is(0, "gid", "100") &&
			  field_is(0, "pid", "77") && field_is(0, "session", "5") &&
			  field_is(0, "login_uid", "(none)") && field_is(0, "unlocked", "(none)"),
		  "who it was");
	r = record(RECORD_RESULT, "Begin");
	r.code = ERR_TRUST;
	r.status = 3;
	r.milliseconds = 12;
	snprintf(r.text, sizeof(r.text), "why");
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(1) && field_is(1, "seq", "2") &&
			  field_is(1, "kind", "result") && field_is(1, "result", "trust") &&
			  field_is(1, "message", "why") && field_is(1, "status", "3") &&
			  field_is(1, "milliseconds", "12"),
		  "the result follows the intent");
	r = record(RECORD_REFUSAL, "Remove");
	tap_check(audit_write(&b, &r, NULL) == 0 && follows(2) && field_is(2, "seq", "3") &&
			  field_is(2, "decision", "refused"),
		  "another helper's record is chained");
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(3) && field_is(3, "seq", "4"),
		  "the first helper's next record is chained");
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(4) && a.last.number == 5,
		  "another helper's next record is chained");
}

static void check_damage(void)
{
	_cleanup_close_ int fd = open_log(0);
	struct audit a = begin(fd);
	struct record r = record(RECORD_INTENT, "Keep");
	size_t count = lines();
	char sum_hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];
	struct stat st;

	fstat(fd, &st);
	tap_check(ftruncate(fd, st.st_size - 20) == 0 && audit_write(&a, &r, NULL) == 0 &&
			  lines() == count + 1 && field_is(count, "seq", "6"),
		  "a truncated record keeps its line, and the next one continues the numbers");
	hash_of(line_at(count - 1), strlen(line_at(count - 1)), sum);
	sha256_to_hex(sum, sum_hex);
	tap_check(is_chained(count, sum_hex), "the next record is chained to the truncated one");
	tap_check(ftruncate(fd, 0) == 0 && audit_write(&a, &r, NULL) == 0 && is_chained(0, ZEROS) &&
			  field_is(0, "seq", "1"),
		  "an emptied log starts a new chain");
	tap_check(write_all(fd, "no record\n", 10) == 0 && audit_write(&a, &r, NULL) == 0 &&
			  field_is(2, "seq", "1"),
		  "after an invalid line, the numbers start again");
	hash_of("no record", 9, sum);
	sha256_to_hex(sum, sum_hex);
	tap_check(is_chained(2, sum_hex), "after an invalid line, the chain includes it");
}

static void check_texts(void)
{
	_cleanup_close_ int fd = open_log(O_TRUNC);
	struct audit a = begin(fd);
	struct record r = record(RECORD_RESULT, "Execute");

	snprintf(r.arguments, sizeof(r.arguments), "a\"b\\c\nd\x1b[0m\xc2\x9b\x7f~");
	tap_check(audit_write(&a, &r, NULL) == 0 && field_is(0, "arguments", "a\"b\\c?d?[0m???~"),
		  "only printable ASCII is written, with JSON escapes");
	memset(r.arguments, '"', sizeof(r.arguments) - 1);
	r.arguments[sizeof(r.arguments) - 1] = '\0';
	memset(r.text, '\\', sizeof(r.text) - 1);
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(1) && strlen(line_at(1)) > 2000,
		  "the longest record is a complete line");
	r = record(RECORD_INTENT, "Keep");
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(2),
		  "another helper finds the end of the longest record");
	a = begin(fd);
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(3),
		  "a helper with an old position finds the end, too");
}

static void check_lock(void)
{
	_cleanup_close_ int fd = open_log(O_TRUNC), holder = open_log(0);
	struct audit a = begin(fd);
	struct record r = record(RECORD_INTENT, "Keep");

	flock(holder, LOCK_EX);
	a.contended = true;
	tap_check(audit_write(&a, &r, NULL) == 0 && is_chained(0, ZEROS) &&
			  field_is(0, "unlocked", "true") && a.contended,
		  "a record says if another process kept the lock");
	flock(holder, LOCK_UN);
	tap_check(audit_write(&a, &r, NULL) == 0 && follows(1) &&
			  field_is(1, "unlocked", "(none)") && !a.contended,
		  "the next record has the lock");
	tap_check(flock(holder, LOCK_EX | LOCK_NB) == 0, "the lock is released");
}

static void check_failures(void)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	_cleanup_close_ int closed = open(path, O_RDONLY | O_CLOEXEC);
	struct record r = record(RECORD_INTENT, "Keep");
	struct audit a = begin(full);

	tap_check(audit_write(&a, &r, &err) == -1 && err && err->code == ERR_SPACE &&
			  strstr(err->message, "in the file"),
		  "a full disk is an error");
	error_free(&err);
	a = begin(closed);
	tap_check(audit_write(&a, &r, &err) == -1 && err && a.last.number == 0,
		  "an unwritable file is an error, and nothing counts as recorded");
	a = begin(-1);
	tap_check(audit_write(&a, &r, NULL) == 0 && audit_write(&a, &r, NULL) == 0 &&
			  a.last.number == 2 && strcmp(a.last.prev, ZEROS) != 0,
		  "there is a chain even without a file");
}

/* A record that fits only in part is removed again. */
static void check_room(void)
{
	_cleanup_close_ int fd = open_log(O_TRUNC);
	struct audit a = begin(fd);
	struct record r = record(RECORD_INTENT, "Keep");
	struct rlimit limit, before;
	struct stat st;

	audit_write(&a, &r, NULL);
	fstat(fd, &st);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = (rlim_t)st.st_size + 50;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	tap_check(audit_write(&a, &r, NULL) == -1 && lseek(fd, 0, SEEK_END) == st.st_size,
		  "a record that fits only in part is removed");
	setrlimit(RLIMIT_FSIZE, &before);
	tap_check(audit_write(&a, &r, NULL) == 0 && lines() == 2 && follows(1),
		  "the next record follows the last complete one");
}

/* --- which log ------------------------------------------------------------------------------- */

static bool opens(int flags, bool *used)
{
	struct audit a;
	bool good = audit_open(&a, &session, open(path, flags | O_CLOEXEC), NULL) == 0;

	*used = a.fds[AUDIT_FILE] >= 0;
	audit_close(&a);
	return good;
}

static void check_open(void)
{
	_cleanup_error_ struct error *err = NULL;
	struct audit a;
	bool used;

	session.grant.caller.uid = getuid();
	tap_check(opens(O_RDWR | O_APPEND, &used) && used, "the caller's own log is accepted");
	tap_check(opens(O_RDWR, &used) && !used, "a log without O_APPEND is refused");
	tap_check(opens(O_WRONLY | O_APPEND, &used) && !used,
		  "a log that cannot be read is refused");
	session.grant.caller.uid = getuid() + 1;
	tap_check(opens(O_RDWR | O_APPEND, &used) && !used, "another user's log is refused");
	session.grant.caller.uid = getuid();
	tap_check(audit_open(&a, &session, open("/dev/null", O_RDWR | O_APPEND), NULL) == 0 &&
			  a.fds[AUDIT_FILE] < 0,
		  "something other than a file is refused");
	policy.required = true;
	tap_check(audit_open(&a, &session, -1, &err) == -1 && err && err->code == ERR_HOST &&
			  strstr(err->message, "required = yes"),
		  "a missing log is an error if one is required");
	policy.required = false;
	audit_open_to_refuse(&a, &session);
	tap_check(a.fds[AUDIT_FILE] < 0 && a.fds[AUDIT_JOURNAL] < 0 && a.fds[AUDIT_SYSLOG] < 0 &&
			  !a.session,
		  "a refusal without a policy is not logged in user mode");
}

/* --- the process ----------------------------------------------------------------------------- */

struct keeper {
	pid_t pid;
	int socket;
};

static struct keeper start(int file, bool required)
{
	struct keeper k;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		exit(1);
	k.pid = fork();
	if (k.pid == 0) {
		struct audit a = begin(file);

		a.required = required;
		close(ends[0]);
		audit_serve(&a, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	k.socket = ends[0];
	return k;
}

static void end(struct keeper *k)
{
	close(k->socket);
	waitpid(k->pid, NULL, 0);
}

static void check_process(void)
{
	_cleanup_close_ int fd = open_log(O_TRUNC);
	_cleanup_error_ struct error *err = NULL;
	struct keeper k = start(fd, true);
	struct record intent = record(RECORD_INTENT, "Begin");
	struct record result = record(RECORD_RESULT, "Begin");
	struct record refusal = record(RECORD_REFUSAL, "Remove");

	tap_check(audit_ask(k.socket, &intent, NULL) == 0 &&
			  audit_ask(k.socket, &result, NULL) == 0 && lines() == 2,
		  "a request is recorded before the answer");
	end(&k);
	tap_check(lines() == 2, "nothing is added if no request is pending");
	k = start(fd, true);
	audit_ask(k.socket, &intent, NULL);
	audit_ask(k.socket, &refusal, NULL);
	end(&k);
	tap_check(lines() == 4, "nothing is added after a refusal");
	k = start(fd, true);
	audit_ask(k.socket, &intent, NULL);
	end(&k);
	tap_check(lines() == 6 && follows(5) && field_is(5, "kind", "result") &&
			  field_is(5, "request", "Begin") && field_is(5, "result", "interrupted"),
		  "a request whose process died gets a result");
	k = start(fd, true);
	intent.kind = 9;
	tap_check(audit_ask(k.socket, &intent, &err) == -1 && err && err->code == ERR_SYSTEM &&
			  strstr(err->message, "was killed"),
		  "an unknown kind of record ends the process, and does not count as a refusal");
	error_free(&err);
	tap_check(audit_ask(k.socket, &intent, &err) == -1 && err && err->code == ERR_SYSTEM,
		  "a closed socket does not count as a refusal");
	end(&k);
	tap_check(lines() == 6, "a record of an unknown kind is not written");
	memset(&intent, 'x', sizeof(intent));
	intent.kind = RECORD_INTENT;
	k = start(fd, true);
	tap_check(audit_ask(k.socket, &intent, NULL) == 0, "unterminated strings are recorded");
	end(&k);
	tap_check(lines() == 8 && follows(7), "unterminated strings end with their buffer");
}

static void check_required(void)
{
	_cleanup_close_ int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct record intent = record(RECORD_INTENT, "Begin");

	for (int required = 0; required < 2; required++) {
		_cleanup_error_ struct error *err = NULL;
		struct keeper k = start(full, required);
		int r = audit_ask(k.socket, &intent, &err);

		tap_check(required ? r == -1 && err && err->code == ERR_HOST &&
					     strstr(err->message, "cannot be recorded")
				   : r == 0,
			  "on a full disk, %s: %s", required ? "required" : "not required",
			  required ? "refused" : "continues");
		end(&k);
	}
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	alarm(50);
	check_chain();
	check_damage();
	check_texts();
	check_lock();
	check_failures();
	check_room();
	check_open();
	check_process();
	check_required();
	unlink(path);
	return tap_done();
}
