#include "frontend/commands/audit_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/commands/audit_journal.h"
#include "frontend/commands/audit_lines.h"
#include "frontend/commands/commands.h"
#include "lib/hash.h"
#include "proto/validate.h"

/* The latest records. A record may follow from any of these after a rotation, or if records were
 * written without the file's lock. */
#define RECENT_MAX 64

struct hashes {
	char list[RECENT_MAX][2 * SHA256_LEN + 1];
	size_t count; /* added so far; the last RECENT_MAX are kept */
};

struct record_chain {
	const char *path;
	const char *wanted; /* a hash that must be in the log, or NULL */
	uint64_t line, records, faults, first_number, last_number;
	bool found, begun, hashed, starts_file;
	json_t *remarks; /* NULL: print them */
	char last[2 * SHA256_LEN + 1];
	struct hashes recent; /* of this file */
	struct hashes heads;  /* since the chain may have forked; none: it has not */
	json_t *open;	      /* intents without a result so far, by the pid of their helper */
	json_t *known;	      /* hash: sequence number, of all records; NULL: not needed */
};

static uint64_t sequence_of(const json_t *record)
{
	return (uint64_t)json_integer_value(json_object_get(record, "seq"));
}

/* --- what was found --------------------------------------------------------------------------- */

static void remark_at(struct record_chain *c, uint64_t line, const char *format, va_list ap)
	PRINTF_LIKE(3, 0);
static void remark_at(struct record_chain *c, uint64_t line, const char *format, va_list ap)
{
	_cleanup_free_ char *message = NULL;

	message = text_vformat(format, ap);
	text_clean(message);
	if (c->remarks)
		json_array_append_new(c->remarks,
				      json_pack("{s:o, s:I, s:o}", "path", json_text(c->path),
						"line", (json_int_t)line, "message",
						json_text(message ? message : "out of memory")));
	else if (line)
		printf("%s:%" PRIu64 ": %s\n", c->path, line, message ? message : "out of memory");
	else
		printf("%s\n", message ? message : "out of memory");
}

/* For what is worth knowing, but is no fault. */
static void remark(struct record_chain *c, const char *format, ...) PRINTF_LIKE(2, 3);
static void remark(struct record_chain *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	remark_at(c, c->line, format, ap);
	va_end(ap);
}

static void verify_complain(struct record_chain *c, const char *format, ...) PRINTF_LIKE(2, 3);
static void verify_complain(struct record_chain *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	remark_at(c, c->line, format, ap);
	va_end(ap);
	c->faults++;
}

/* --- the chain -------------------------------------------------------------------------------- */

static void hashes_add(struct hashes *h, const char *hash)
{
	snprintf(h->list[h->count++ % RECENT_MAX], sizeof(h->list[0]), "%s", hash);
}

/* How many records came after the one with this hash; SIZE_MAX if it is no longer stored. */
static size_t hashes_since(const struct hashes *h, const char *hash)
{
	for (size_t age = 0; age < h->count && age < RECENT_MAX; age++)
		if (strcmp(h->list[(h->count - 1 - age) % RECENT_MAX], hash) == 0)
			return age;
	return SIZE_MAX;
}

#define HASH_KEY ",\"hash\":\""
#define HASH_BYTES (sizeof(HASH_KEY) - 1 + 2 * SHA256_LEN + 2)

/* A record ends with the hash of everything before it. Records of the first format have none: they
 * are identified by the hash of the whole line, and never follow a record that has one. */
static void check_own_hash(struct record_chain *c, const char *line, size_t length,
			   const json_t *record)
{
	const char *own = audit_text(record, "hash");
	bool ends = length > HASH_BYTES && strlen(own) == 2 * SHA256_LEN &&
		    memcmp(line + length - HASH_BYTES, HASH_KEY, sizeof(HASH_KEY) - 1) == 0;
	uint8_t sum[SHA256_LEN];

	hash_of(line, ends ? length - HASH_BYTES : length, sum);
	sha256_to_hex(sum, c->last);
	if (record && (ends ? strcmp(c->last, own) != 0 : c->hashed))
		verify_complain(c, "record %" PRIu64 " was changed: its hash does not match",
				sequence_of(record));
	if (ends) {
		snprintf(c->last, sizeof(c->last), "%s", own);
		c->hashed = true;
	}
}

/* Records that are written without the file's lock, because another rootlet-helper holds it, may
 * follow from any of the last ones, and so may the record of the helper that held the lock. With
 * the next record that is written under the lock there is one chain again. */
static bool follows(struct record_chain *c, const char *prev, bool unlocked)
{
	bool last = strcmp(prev, c->last) == 0;

	if (unlocked && c->heads.count == 0)
		hashes_add(&c->heads, c->last);
	if (last && !unlocked)
		c->heads.count = 0;
	return last || hashes_since(&c->heads, prev) != SIZE_MAX;
}

static void check_order(struct record_chain *c, const json_t *record)
{
	const char *prev = audit_text(record, "prev");
	uint64_t number = sequence_of(record);
	bool unlocked = json_is_true(json_object_get(record, "unlocked"));

	if (unlocked)
		remark(c,
		       "record %" PRIu64 " was written without the file's lock, which another "
		       "rootlet-helper held: if no later record follows from it, only the journal "
		       "proves it",
		       number);
	if (c->begun && follows(c, prev, unlocked))
		return;
	if (c->begun && number == c->last_number + 1)
		verify_complain(c,
				"record %" PRIu64
				" does not follow from the one before it: one of the two "
				"was changed",
				number);
	else if (c->begun)
		verify_complain(c, "record %" PRIu64 " comes after %" PRIu64 ": %s", number,
				c->last_number,
				number > c->last_number ? "the records between them were removed"
							: "they were moved, or one was inserted");
	else if (number != 1 || strspn(prev, "0") != 2 * SHA256_LEN)
		remark(c,
		       "the log begins with record %" PRIu64 ": the earlier ones are in an older "
		       "file, or one was removed; the last of them has the hash %.64s",
		       number, prev);
}

/* A rotated log begins with a copy of the last record of the file before it. A helper that was at
 * work may have added records to that file afterwards. */
static bool is_carried_over(struct record_chain *c, const json_t *record)
{
	size_t since = hashes_since(&c->recent, audit_text(record, "hash"));

	if (!c->starts_file || !c->begun || since == SIZE_MAX)
		return false;
	if (since)
		remark(c,
		       "this file follows from record %" PRIu64 ": %zu more were added to the "
		       "older file after it was rotated",
		       sequence_of(record), since);
	return true;
}

/* --- requests without a result ---------------------------------------------------------------- */

/* Whether the helper that recorded it still runs, on this host. */
static bool is_running(const json_t *intent)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%" JSON_INTEGER_FORMAT "/comm",
		 json_integer_value(json_object_get(intent, "helper")));
	f = fopen(path, "re");
	return f && fgets(name, sizeof(name), f) && strcmp(name, "rootlet-helper\n") == 0;
}

/* The process that writes the log also records the end of requests whose processes were killed. It
 * must itself have been killed, or the machine stopped. In user mode the caller may do that to
 * their own processes at any time; in installed mode only by killing their whole cgroup. */
static void report_open(struct record_chain *c, const json_t *intent)
{
	static const char format[] =
		"record %" PRIu64 ": %s by %s (uid %" JSON_INTEGER_FORMAT ") at %.19s has no "
		"result: the audit process was killed while it ran, or the machine stopped";
	bool fault = strcmp(audit_text(intent, "mode"), "user") != 0;

	c->path = audit_text(intent, "path");
	c->line = (uint64_t)json_integer_value(json_object_get(intent, "line"));
	(fault ? verify_complain : remark)(
		c, format, sequence_of(intent), audit_text(intent, "request"),
		audit_text(intent, "user"), json_integer_value(json_object_get(intent, "uid")),
		audit_text(intent, "time"));
}

/* A helper serves one request at a time. If it has a new intent, the last one gets no result. */
static void follow_request(struct record_chain *c, json_t *record)
{
	const char *kind = audit_text(record, "kind"), *path = c->path;
	uint64_t line = c->line;
	json_t *intent;
	char helper[32];

	snprintf(helper, sizeof(helper), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(record, "helper")));
	intent = json_object_get(c->open, helper);
	if (intent && strcmp(kind, "intent") == 0) {
		report_open(c, intent);
		c->path = path;
		c->line = line;
	}
	if (strcmp(kind, "refusal") != 0)
		json_object_del(c->open, helper);
	if (strcmp(kind, "intent") != 0)
		return;
	json_object_set_new(record, "path", json_text(c->path));
	json_object_set_new(record, "line", json_integer((json_int_t)c->line));
	json_object_set(c->open, helper, record);
}

static void report_unfinished(struct record_chain *c)
{
	const char *helper;
	json_t *intent;

	json_object_foreach(c->open, helper, intent) if (!is_running(intent))
		report_open(c, intent);
	c->line = 0;
}

/* --- all lines -------------------------------------------------------------------------------- */

static void begin_record(struct record_chain *c, const json_t *record)
{
	if (!record)
		verify_complain(c, "not a record: it was truncated or changed");
	else
		check_order(c, record);
}

static void end_record(struct record_chain *c, const json_t *record)
{
	uint64_t number = sequence_of(record);

	if (c->heads.count)
		hashes_add(&c->heads, c->last);
	hashes_add(&c->recent, c->last);
	if (c->known)
		json_object_set_new(c->known, c->last, json_integer((json_int_t)number));
	if (!c->begun)
		c->first_number = number;
	c->found = c->found || (c->wanted && strcmp(c->wanted, c->last) == 0);
	c->begun = true;
	c->last_number = number;
}

static void check_line(const char *line, size_t length, void *context)
{
	struct record_chain *c = context;
	json_t *record = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	bool carried = is_carried_over(c, record);

	c->line++;
	if (c->starts_file)
		c->recent.count = 0;
	c->starts_file = false;
	if (!carried) {
		c->records++;
		begin_record(c, record);
	}
	check_own_hash(c, line, length, record);
	end_record(c, record);
	if (record && !carried)
		follow_request(c, record);
	json_decref(record);
}

/* --- the journal ------------------------------------------------------------------------------ */

static uint64_t entry_number(const json_t *entry)
{
	return strtoumax(audit_text(entry, "ROOTLET_SEQ"), NULL, 10);
}

static const char *entry_time(const json_t *entry, char text[static 32])
{
	time_t seconds =
		(time_t)(strtoumax(audit_text(entry, "__REALTIME_TIMESTAMP"), NULL, 10) / 1000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	return text;
}

/* Requests refused before the policy was read are in the journal only. */
static bool is_apart(const json_t *entry)
{
	return strcmp(audit_text(entry, "ROOTLET_RULE"), "start") == 0 || !entry_number(entry);
}

static void compare_entry(struct record_chain *c, const json_t *entry)
{
	char time[32];

	if (json_object_get(c->known, audit_text(entry, "ROOTLET_HASH")))
		json_object_set_new(c->known, audit_text(entry, "ROOTLET_HASH"), json_true());
	else if (!is_apart(entry) && entry_number(entry) >= c->first_number)
		verify_complain(c,
				"the journal has record %" PRIu64
				" (%s by %s at %s), but the log does not: it was removed or "
				"changed there",
				entry_number(entry), audit_text(entry, "ROOTLET_REQUEST"),
				audit_text(entry, "ROOTLET_USER"), entry_time(entry, time));
}

/* The chain proves the records between two that the journal has. Nothing proves those after the
 * last one that it has. */
static void compare_log(struct record_chain *c)
{
	size_t missing = 0, tail = 0;
	const char *hash;
	json_t *value;
	bool begun = false;

	json_object_foreach(c->known, hash, value)
	{
		if (json_is_true(value)) {
			missing += tail;
			tail = 0;
			begun = true;
		} else if (begun) {
			tail++;
		}
	}
	if (missing)
		remark(c,
		       "%zu records are missing from the journal, which drops entries over its "
		       "rate limit (journald.conf(5)): the hashes of later ones prove them",
		       missing);
	if (!begun && c->records)
		verify_complain(c, "the journal has none of these records");
	else if (tail)
		verify_complain(
			c,
			"the last %zu records are not in the journal: they were inserted, or "
			"journald dropped them (journald.conf(5), RateLimitBurst=)",
			tail);
}

/* Without a file, the records of each helper form their own chain in the journal. */
static void check_journal_chain(struct record_chain *c, const json_t *entries)
{
	json_t *known = json_object(), *entry;
	char time[32];
	size_t i;

	json_array_foreach(entries, i, entry)
		json_object_set_new(known, audit_text(entry, "ROOTLET_HASH"), json_true());
	json_array_foreach(entries, i, entry)
	{
		c->records++;
		if (entry_number(entry) > 1 &&
		    !json_object_get(known, audit_text(entry, "ROOTLET_PREV")))
			verify_complain(
				c,
				"record %" PRIu64 " (%s by %s at %s) follows from one that the "
				"journal does not have: journald dropped it (journald.conf(5), "
				"RateLimitBurst=), or it is too old",
				entry_number(entry), audit_text(entry, "ROOTLET_REQUEST"),
				audit_text(entry, "ROOTLET_USER"), entry_time(entry, time));
		snprintf(c->last, sizeof(c->last), "%.64s", audit_text(entry, "ROOTLET_HASH"));
		c->last_number = entry_number(entry);
	}
	json_decref(known);
}

static int check_journal(struct record_chain *c, const struct audit_question *q, struct error **err)
{
	size_t forged, i;
	json_t *entries = audit_journal_read(q->policy, &forged, err), *entry;

	if (!entries)
		return -1;
	c->path = "journal";
	c->line = 0;
	if (*q->paths) {
		json_array_foreach(entries, i, entry) compare_entry(c, entry);
		compare_log(c);
	} else {
		check_journal_chain(c, entries);
	}
	if (forged)
		remark(c,
		       "the journal has %zu entries that claim to be from rootlet-helper, but "
		       "were sent by another uid: they were ignored",
		       forged);
	json_decref(entries);
	return 0;
}

/* --- the verdict ------------------------------------------------------------------------------ */

static void verify_print_verdict(struct record_chain *c)
{
	if (c->remarks) {
		document_print(json_pack("{s:I, s:I, s:O, s:I, s:o}", "records",
					 (json_int_t)c->records, "faults", (json_int_t)c->faults,
					 "remarks", c->remarks, "last_number",
					 (json_int_t)c->last_number, "last_hash",
					 json_text(*c->last ? c->last : NULL)));
		return;
	}
	printf("%" PRIu64 " records, %" PRIu64 " fault%s; the last: number %" PRIu64 ", hash %s\n",
	       c->records, c->faults, c->faults == 1 ? "" : "s", c->last_number,
	       *c->last ? c->last : "none");
}

static int check_all(struct record_chain *c, const struct audit_question *q, struct error **err)
{
	for (char **path = q->paths; *path; path++) {
		c->path = *path;
		c->line = 0;
		c->starts_file = true;
		if (audit_each_line(*path, check_line, c, err) < 0)
			return -1;
	}
	report_unfinished(c);
	if (q->last && !c->found)
		verify_complain(c, "no record has the hash %s: the end of the log was cut off",
				q->last);
	return q->journal ? check_journal(c, q, err) : 0;
}

int audit_verify(const struct audit_question *q, struct error **err)
{
	struct record_chain c = {
		.wanted = q->last,
		.remarks = q->json ? json_array() : NULL,
		.open = json_object(),
		.known = q->journal ? json_object() : NULL,
	};
	int r = check_all(&c, q, err);

	if (r == 0) {
		verify_print_verdict(&c);
		r = c.faults ? EXIT_FAILED : EXIT_OK;
	}
	json_decref(c.remarks);
	json_decref(c.open);
	json_decref(c.known);
	return r;
}
