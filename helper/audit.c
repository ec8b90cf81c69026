#include "helper/audit.h"

#include <stdarg.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/hash.h"
#include "helper/sinks.h"
#include "proto/channel.h"
#include "proto/validate.h"

#define LINE_MAX_BYTES 4096
/* 5 s: who has the lock writes a few hundred bytes with it. */
#define LOCK_PAUSE 5000000 /* ns */
#define LOCK_TRIES 1000

static const char *const kinds[] = { "", "intent", "result", "refusal" };

struct line {
	char text[LINE_MAX_BYTES];
	size_t length;
	bool unlocked; /* it is written without the lock */
};

static void add(struct line *l, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct line *l, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(l->text + l->length, sizeof(l->text) - l->length, format, ap);
	va_end(ap);
	if (n > 0)
		l->length += (size_t)n;
	if (l->length >= sizeof(l->text))
		l->length = sizeof(l->text) - 1;
}

/* Only printable ASCII goes on the record, so that it can be shown and needs no further escape. */
static void add_text(struct line *l, const char *key, const char *text)
{
	char clean[2 * sizeof(((struct record *)0)->arguments)];
	size_t used = 0;

	for (; *text && used < sizeof(clean) - 2; text++) {
		if (*text == '"' || *text == '\\')
			clean[used++] = '\\';
		clean[used++] = *text >= 32 && *text < 127 ? *text : '?';
	}
	clean[used] = '\0';
	add(l, ",\"%s\":\"%s\"", key, clean);
}

static void add_number(struct line *l, const char *key, uint32_t number)
{
	if (number != UINT32_MAX)
		add(l, ",\"%s\":%u", key, number);
}

static void add_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	add(l, ",\"time\":\"%s.%06ldZ\"", text, now.tv_nsec / 1000);
}

/* Everything but "prev" and what is after it. */
static void format(struct line *l, uint64_t number, const struct session *s, const struct record *r)
{
	const struct caller *c = &s->grant.caller;

	l->length = 0;
	add(l, "{\"seq\":%" PRIu64, number);
	add_time(l);
	add(l, ",\"kind\":\"%s\"", kinds[r->kind]);
	add_text(l, "request", r->request);
	add_text(l, "arguments", r->arguments);
	add(l, ",\"decision\":\"%s\"", r->kind == RECORD_REFUSAL ? "refused" : "allowed");
	add_text(l, "rule", r->rule);
	if (r->kind != RECORD_INTENT) {
		add_text(l, "result", error_code_name(r->code));
		add_text(l, "message", r->text);
		add(l, ",\"status\":%d,\"milliseconds\":%" PRIu64, r->status, r->milliseconds);
	}
	add(l, ",\"mode\":\"%s\"", mode_name(s->mode));
	add_text(l, "user", c->name);
	add(l, ",\"uid\":%u,\"gid\":%u,\"pid\":%d,\"helper\":%d", c->uid, c->gid, s->front_end,
	    getpid());
	add_number(l, "login_uid", s->login_uid);
	add_number(l, "session", s->audit_session);
	if (l->unlocked)
		add(l, ",\"unlocked\":true");
}

static void hash(const char *text, size_t size, char hex[static 2 * SHA256_LEN + 1])
{
	uint8_t sum[SHA256_LEN];

	hash_of(text, size, sum);
	sha256_to_hex(sum, hex);
}

/* The end of a line: its own hash, which is that of all before these bytes. */
#define HASH_KEY ",\"hash\":\""
#define HASH_BYTES (sizeof(HASH_KEY) - 1 + 2 * SHA256_LEN + 2)

/* Closes the line after what format() made of it; the hash goes into OWN. */
static void close_line(struct line *l, const char *prev, char own[static 2 * SHA256_LEN + 1])
{
	add(l, ",\"prev\":\"%s\"", prev);
	hash(l->text, l->length, own);
	add(l, HASH_KEY "%s\"}\n", own);
}

/* The hash that LINE ends with; of one that does not, as older records and damaged ones, that of
 * all of it. */
static void hash_of_line(const char *line, size_t length, char hex[static 2 * SHA256_LEN + 1])
{
	const char *key = line + length - HASH_BYTES;

	if (length <= HASH_BYTES || memcmp(key, HASH_KEY, sizeof(HASH_KEY) - 1) != 0 ||
	    strspn(key + sizeof(HASH_KEY) - 1, "0123456789abcdef") != 2 * SHA256_LEN) {
		hash(line, length, hex);
		return;
	}
	memcpy(hex, key + sizeof(HASH_KEY) - 1, 2 * SHA256_LEN);
	hex[2 * SHA256_LEN] = '\0';
}

/* The last line of FILE; its hash is the next one's "prev". An empty file begins a chain with
 * zeros. */
static int find_last(int file, off_t end, uint64_t *number, char prev[static 2 * SHA256_LEN + 1],
		     bool *cut)
{
	char tail[2 * LINE_MAX_BYTES + 1];
	size_t length, start;
	ssize_t n;

	memset(prev, '0', 2 * SHA256_LEN);
	prev[2 * SHA256_LEN] = '\0';
	*number = 1;
	*cut = false;
	n = pread(file, tail, sizeof(tail) - 1,
		  end > 2 * LINE_MAX_BYTES ? end - 2 * LINE_MAX_BYTES : 0);
	if (n <= 0)
		return n < 0 ? -1 : 0;
	length = (size_t)n;
	tail[length] = '\0';
	*cut = tail[length - 1] != '\n';
	length -= !*cut;
	for (start = length; start > 0 && tail[start - 1] != '\n';)
		start--;
	if (length - start > 7 && memcmp(tail + start, "{\"seq\":", 7) == 0)
		*number = strtoumax(tail + start + 7, NULL, 10) + 1;
	hash_of_line(tail + start, length - start, prev);
	return 0;
}

/* All of the line or nothing of it, where nobody else can have written meanwhile; moves the file's
 * *END. */
static int append(int file, off_t *end, const char *text, size_t length, bool unlocked)
{
	ssize_t n = RETRY_ON_EINTR(write(file, text, length));

	if (n == (ssize_t)length) {
		*end += n;
		return 0;
	}
	if (n > 0 && !unlocked && ftruncate(file, *end) == 0)
		errno = ENOSPC;
	return -1;
}

/* Every caller's helper needs this lock, and a caller whose cgroup is his own can freeze his helper
 * while it holds it. Once it could not be had, no time is lost with it any more. */
static int lock_file(int file, int tries)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE };

	while (flock(file, LOCK_EX | LOCK_NB) < 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || tries-- == 0)
			return -1;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return 0;
}

/* Behind the record that was our last one. */
static void follow(const struct audit *a, struct place *place)
{
	place->number = a->last.number + 1;
	memcpy(place->prev, a->last.hash, sizeof(place->prev));
}

static void compose(const struct audit *a, const struct record *r, struct line *l,
		    struct place *place)
{
	format(l, place->number, a->session, r);
	close_line(l, place->prev, place->hash);
}

/* The record goes behind the last one of the file, which is our own while the file has the end that
 * we gave it. */
static int chain_record(struct audit *a, const struct record *r, struct line *l,
			struct place *place)
{
	bool cut = false;
	struct stat st;

	if (fstat(a->file, &st) < 0)
		return -1;
	if (st.st_size > 0 && st.st_size == a->end)
		follow(a, place);
	else if (find_last(a->file, st.st_size, &place->number, place->prev, &cut) < 0)
		return -1;
	compose(a, r, l, place);
	if ((cut && append(a->file, &st.st_size, "\n", 1, l->unlocked) < 0) ||
	    append(a->file, &st.st_size, l->text, l->length, l->unlocked) < 0)
		return -1;
	a->end = st.st_size;
	return 0;
}

/* Under the lock of the file, which all helpers share: the chain is one. Where another keeps the
 * lock, nobody's request is to go unrecorded for that: the chain may part there, and says so. */
static int write_file(struct audit *a, const struct record *r, struct line *l, struct place *place)
{
	int result;

	l->unlocked = lock_file(a->file, a->contended ? 0 : LOCK_TRIES) < 0;
	if (l->unlocked && errno != EWOULDBLOCK)
		return -1;
	a->contended = l->unlocked;
	result = chain_record(a, r, l, place);
	if (!l->unlocked)
		flock(a->file, LOCK_UN);
	return result;
}

int audit_write(struct audit *a, const struct record *r, struct error **err)
{
	static struct line line;
	struct place place = { 0 };
	const char *failed = NULL;

	if (a->file >= 0 && write_file(a, r, &line, &place) < 0)
		failed = "file";
	/* Without a file each helper has a chain of its own, so that its records can be counted
	 * elsewhere. */
	if (a->file < 0) {
		line.unlocked = false;
		follow(a, &place);
		compose(a, r, &line, &place);
	}
	if (!failed)
		a->last = place;
	/* Elsewhere the hash anchors the file: what is cut off from its end is still named there.
	 */
	if (a->journal >= 0 &&
	    sink_journal(a->journal, a->session, r, kinds[r->kind], failed ? NULL : &place) < 0)
		failed = "journal";
	if (a->syslog >= 0 &&
	    sink_syslog(a->syslog, a->session, r, kinds[r->kind], failed ? NULL : &place) < 0)
		failed = "syslog";
	if (failed)
		return error_errno(err, ERR_HOST, "cannot record the request in the %s", failed);
	return 0;
}

static void begin_chain(struct audit *a)
{
	memset(a->last.hash, '0', 2 * SHA256_LEN);
}

void audit_open_to_refuse(struct audit *a, const struct session *s)
{
	*a = (struct audit){ .file = -1, .journal = -1, .syslog = -1 };
	if (s->mode != MODE_INSTALLED || !*s->grant.caller.name)
		return;
	a->session = s;
	begin_chain(a);
	a->journal = sink_connect(JOURNAL_SOCKET);
	if (a->journal < 0)
		a->syslog = sink_connect(SYSLOG_SOCKET);
}

int audit_open(struct audit *a, const struct session *s, int given, struct error **err)
{
	const struct policy *p = s->policy;
	bool own = s->mode == MODE_USER || strcmp(p->file, "none") == 0;
	struct error *error = NULL;

	*a = (struct audit){ .session = s, .required = p->required, -1, -1, -1 };
	begin_chain(a);
	/* It reads a file at its first use, which is over once the system calls are listed. */
	tzset();
	a->file = own ? sink_check_own(given, s->grant.caller.uid)
		      : sink_open_file(p->file, s, &error);
	if (!error && p->journal && (a->journal = sink_connect(JOURNAL_SOCKET)) < 0)
		error_errno(&error, ERR_HOST, "cannot reach the journal at " JOURNAL_SOCKET);
	if (!error && p->syslog && (a->syslog = sink_connect(SYSLOG_SOCKET)) < 0)
		error_errno(&error, ERR_HOST, "cannot reach syslog at " SYSLOG_SOCKET);
	if (!error && p->required && a->file < 0 && a->journal < 0 && a->syslog < 0)
		error_set(&error, ERR_HOST, "there is no place to record requests");
	if (error && p->required) {
		error_set(err, ERR_HOST, "%s; %s has audit: required = yes, so nothing is done",
			  error->message, p->path);
		error_free(&error);
		return -1;
	}
	error_free(&error);
	return 0;
}

void audit_serve(struct audit *a, int socket)
{
	static struct record record;
	int fds[PACKET_FDS_MAX];
	size_t count;

	while (packet_receive(socket, &record, sizeof(record), fds, &count, NULL) ==
	       (ssize_t)sizeof(record)) {
		_cleanup_error_ struct error *err = NULL;
		char answer = 0;

		if (record.kind < RECORD_INTENT || record.kind > RECORD_REFUSAL)
			break;
		record.request[sizeof(record.request) - 1] = '\0';
		record.arguments[sizeof(record.arguments) - 1] = '\0';
		record.rule[sizeof(record.rule) - 1] = '\0';
		record.text[sizeof(record.text) - 1] = '\0';
		if (audit_write(a, &record, &err) < 0 && a->required)
			answer = 1;
		a->pending = record;
		if (record.kind != RECORD_INTENT || answer)
			a->pending.kind = 0;
		if (packet_send(socket, &answer, 1, NULL, 0, NULL) < 0)
			break;
	}
	if (a->pending.kind) {
		a->pending.kind = RECORD_RESULT;
		a->pending.code = ERR_INTERRUPTED;
		snprintf(a->pending.text, sizeof(a->pending.text),
			 "rootlet-helper was ended in it");
		audit_write(a, &a->pending, NULL);
	}
}

int audit_ask(int socket, const struct record *record, struct error **err)
{
	int fds[PACKET_FDS_MAX];
	char answer;
	size_t count;

	if (packet_send(socket, record, sizeof(*record), NULL, 0, NULL) < 0 ||
	    packet_receive(socket, &answer, 1, fds, &count, NULL) != 1)
		return error_set(err, ERR_SYSTEM,
				 "rootlet-helper was killed: its audit process exited");
	if (answer)
		return error_set(err, ERR_HOST,
				 "%s refused: it cannot be recorded, and the policy has audit: "
				 "required = yes",
				 record->request);
	return 0;
}
