#include "helper/audit/audit_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "lib/hash.h"

#define IDENTIFIER "rootlet-helper"
#define TEXT "\""

static const char *const kinds[] = { "", "intent", "result", "refusal" };

/* Replaces control characters, which could start another line or field. */
static void text_add(struct audit_text *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void text_add(struct audit_text *t, const char *format, ...)
{
	char *at = t->bytes + t->length;
	size_t room = sizeof(t->bytes) - t->length - 1;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(at, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return;
	t->length += (size_t)n;
	for (; *at; at++)
		if (*at < 32 || *at > 126)
			*at = '?';
}

static void text_end_line(struct audit_text *t)
{
	t->bytes[t->length++] = '\n';
}

/* QUOTE surrounds the value in JSON: "" for a number, else TEXT. */
static void text_add_field(struct audit_text *t, const char *name, const char *quote,
			   const char *format, ...) PRINTF_LIKE(4, 5);
static void text_add_field(struct audit_text *t, const char *name, const char *quote,
			   const char *format, ...)
{
	char text[sizeof(((struct record *)0)->arguments)], *value = text;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (t->journal) {
		text_add(t, "ROOTLET_");
		for (; *name; name++)
			text_add(t, "%c", toupper(*name));
		text_add(t, "=%s", value);
		text_end_line(t);
		return;
	}
	text_add(t, ",\"%s\":%s", name, quote);
	for (; *value; value++)
		text_add(t, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	text_add(t, "%s", quote);
}

/* All fields except the place in the chain. */
static void add_fields(struct audit_text *t, const struct audit_entry *e)
{
	const struct caller *c = &e->session->grant.caller;
	const struct record *r = e->record;
	char seconds[32];
	struct tm tm;

	gmtime_r(&e->time.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	text_add_field(t, "time", TEXT, "%s.%06ldZ", seconds, e->time.tv_nsec / 1000);
	text_add_field(t, "kind", TEXT, "%s", kinds[r->kind]);
	text_add_field(t, "request", TEXT, "%s", r->request);
	text_add_field(t, "arguments", TEXT, "%s", r->arguments);
	text_add_field(t, "decision", TEXT, r->kind == RECORD_REFUSAL ? "refused" : "allowed");
	text_add_field(t, "rule", TEXT, "%s", r->rule);
	if (r->kind != RECORD_INTENT) {
		text_add_field(t, "result", TEXT, "%s", error_code_name(r->code));
		text_add_field(t, "message", TEXT, "%s", r->text);
		text_add_field(t, "status", "", "%d", r->status);
		text_add_field(t, "milliseconds", "", "%" PRIu64, r->milliseconds);
	}
	text_add_field(t, "mode", TEXT, "%s", mode_name(e->session->mode));
	text_add_field(t, "user", TEXT, "%s", c->name);
	text_add_field(t, "uid", "", "%u", c->uid);
	text_add_field(t, "gid", "", "%u", c->gid);
	text_add_field(t, "pid", "", "%d", e->session->front_end);
	text_add_field(t, "helper", "", "%d", getpid());
	if (e->session->login_uid != UINT32_MAX)
		text_add_field(t, "login_uid", "", "%u", e->session->login_uid);
	if (e->session->audit_session != UINT32_MAX)
		text_add_field(t, "session", "", "%u", e->session->audit_session);
	if (e->unlocked)
		text_add_field(t, "unlocked", "", "true");
}

void audit_text_line(struct audit_text *t, struct audit_entry *e)
{
	uint8_t sum[SHA256_LEN];

	t->length = 0;
	t->journal = false;
	text_add(t, "{\"seq\":%" PRIu64, e->place.number);
	add_fields(t, e);
	text_add_field(t, "prev", TEXT, "%s", e->place.prev);
	hash_of(t->bytes, t->length, sum);
	sha256_to_hex(sum, e->place.hash);
	text_add_field(t, "hash", TEXT, "%s", e->place.hash);
	text_add(t, "}");
	text_end_line(t);
}

static int priority_of(const struct record *r)
{
	if (r->kind == RECORD_REFUSAL)
		return LOG_WARNING;
	return r->kind == RECORD_RESULT && r->code != ERR_NONE ? LOG_NOTICE : LOG_INFO;
}

/* The human-readable summary. */
static void add_message(struct audit_text *t, const struct audit_entry *e)
{
	const struct caller *c = &e->session->grant.caller;
	const struct record *r = e->record;

	text_add(t, "%s(%u) %s %s", c->name, c->uid, kinds[r->kind], r->request);
	if (*r->arguments)
		text_add(t, " %s", r->arguments);
	text_add(t, " by %s", r->rule);
	if (r->kind != RECORD_INTENT)
		text_add(t, ": %s%s%s", error_code_name(r->code), *r->text ? ": " : "", r->text);
}

void audit_text_journal(struct audit_text *t, const struct audit_entry *e)
{
	t->length = 0;
	t->journal = true;
	text_add(t, "MESSAGE=");
	add_message(t, e);
	text_end_line(t);
	text_add(t, "PRIORITY=%d", priority_of(e->record));
	text_end_line(t);
	text_add(t, "SYSLOG_FACILITY=%d", LOG_FAC(LOG_AUTHPRIV));
	text_end_line(t);
	text_add(t, "SYSLOG_IDENTIFIER=" IDENTIFIER);
	text_end_line(t);
	add_fields(t, e);
	if (!e->place.number)
		return;
	text_add_field(t, "seq", "", "%" PRIu64, e->place.number);
	text_add_field(t, "prev", TEXT, "%s", e->place.prev);
	text_add_field(t, "hash", TEXT, "%s", e->place.hash);
}

void audit_text_syslog(struct audit_text *t, const struct audit_entry *e)
{
	t->length = 0;
	text_add(t, "<%d>" IDENTIFIER "[%d]: ", LOG_AUTHPRIV | priority_of(e->record), getpid());
	add_message(t, e);
	if (e->place.number)
		text_add(t, " (%" PRIu64 " %s)", e->place.number, e->place.hash);
}
