/* rootlet audit: shows the audit log, and verifies it. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/commands/audit_lines.h"
#include "frontend/commands/audit_verify.h"
#include "frontend/commands/commands.h"
#include "policy/policy.h"
#include "policy/policy_text.h"

enum { VERB_SHOW = OPTION_OWN, VERB_VERIFY, OPTION_JOURNAL, OPTION_LAST };

static const struct option_row audit_rows[] = {
	{ "show", "[FILE…]", VERB_SHOW, "print a line for each request, with its result",
	  .preset = true },
	{ "verify", "[FILE…]", VERB_VERIFY,
	  "check the log: report records that were removed, changed or moved, requests that have "
	  "no result, and the last hash" },
	{ "--journal", NULL, OPTION_JOURNAL,
	  "with verify: compare the log with rootlet-helper's entries in the journal, and ignore "
	  "entries that other users forged; needs an installed helper",
	  .verb = VERB_VERIFY },
	{ "--last", "HASH", OPTION_LAST,
	  "with verify: a hash that you saved elsewhere and that must be in the log; without it, a "
	  "log that was truncated at the end looks complete",
	  .verb = VERB_VERIFY, .once = true },
	JSON_ROW("show: the records as they are, one per line; verify: one object"),
	{ NULL },
};

/* --- show --- */

/* An intent is shown only if no result follows, since a result repeats all of it. */
struct audit_listing {
	bool json;	 /* print the records as they are */
	json_t *pending; /* intents without a result so far, by the pid of their helper */
	json_t *damaged; /* lines before the first record of a file; a file without records is
			    not shown */
	bool any;	 /* this file has a record */
};

static void print_record(const json_t *r)
{
	const char *result = audit_text(r, "result"), *message = audit_text(r, "message");

	printf("%.19s %-8s %-7s %-14s %s%s%s", audit_text(r, "time"), audit_text(r, "user"),
	       audit_text(r, "decision"), audit_text(r, "request"), audit_text(r, "arguments"),
	       *audit_text(r, "arguments") ? " " : "",
	       *result ? "" : "(no result: killed, or still running)");
	if (*result)
		printf("%s%s%s (%s, %" JSON_INTEGER_FORMAT " ms)", result, *message ? ": " : "",
		       message, audit_text(r, "rule"),
		       json_integer_value(json_object_get(r, "milliseconds")));
	printf("\n");
}

/* A line that is not a record is shown as well. */
static void show_damaged(struct audit_listing *listing)
{
	const json_t *line;
	size_t i;

	json_array_foreach(listing->damaged, i, line)
	{
		if (listing->json)
			document_print(json_pack("{s:O}", "damaged", line));
		else
			puts("(a line that is not a record)");
	}
	json_array_clear(listing->damaged);
}

static void show_record(struct audit_listing *listing, json_t *record)
{
	json_t *intent;
	char helper[32];

	snprintf(helper, sizeof(helper), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(record, "helper")));
	intent = json_object_get(listing->pending, helper);
	if (intent && strcmp(audit_text(record, "kind"), "result") != 0)
		print_record(intent);
	json_object_del(listing->pending, helper);
	if (strcmp(audit_text(record, "kind"), "intent") == 0)
		json_object_set(listing->pending, helper, record);
	else
		print_record(record);
}

static void show_line(const char *line, size_t length, void *context)
{
	struct audit_listing *listing = context;
	json_t *record = json_loadb(line, length, 0, NULL);

	if (!json_is_object(record))
		json_array_append_new(listing->damaged, json_text(line));
	else
		listing->any = true;
	if (listing->any)
		show_damaged(listing);
	if (json_is_object(record) && listing->json) {
		text_print_json(stdout, line);
		putchar('\n');
	} else if (json_is_object(record)) {
		json_clean(record);
		show_record(listing, record);
	}
	json_decref(record);
}

/* Refuses a file that has no records at all. */
static int show_file(struct audit_listing *listing, const char *path, struct error **err)
{
	listing->any = false;
	if (audit_each_line(path, show_line, listing, err) < 0)
		return -1;
	if (!listing->any && json_array_size(listing->damaged))
		return error_set(err, ERR_REFUSED,
				 "%s is not an audit log: none of its lines is a record; see: "
				 "rootlet audit --help",
				 path);
	return 0;
}

static int audit_show(char **paths, bool json, struct error **err)
{
	struct audit_listing listing = {
		.json = json,
		.pending = json_object(),
		.damaged = json_array(),
	};
	const char *key;
	json_t *record;
	int r = 0;

	for (; *paths && r == 0; paths++)
		r = show_file(&listing, *paths, err);
	json_object_foreach(listing.pending, key, record) print_record(record);
	json_decref(listing.pending);
	json_decref(listing.damaged);
	return r;
}

/* The log to compare the journal with; NULL without an error if the policy keeps none. */
static char *find_log_beside_journal(const struct policy *policy, struct error **err)
{
	if (!policy->journal) {
		error_set(
			err, ERR_HOST,
			"the journal proves nothing here: %s; without an installed rootlet-helper "
			"that writes to it, any user can forge its entries",
			policy->path ? POLICY_PATH " has audit: journal = no"
				     : "there is no " POLICY_PATH);
		return NULL;
	}
	return strcmp(policy->file, "none") == 0 ? NULL : strdup(policy->file);
}

static int audit(int verb, const struct audit_question *asked, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_free_ char *found = NULL;
	char *only[] = { NULL, NULL };
	struct audit_question question = *asked, *q = &question;
	int r = policy_load(POLICY_PATH, false, &policy, q->journal ? err : NULL);

	if (r < 0 && q->journal)
		return -1;
	if (r < 0)
		policy_free(&policy);
	q->policy = policy;
	if (q->journal)
		found = find_log_beside_journal(policy, err);
	else if (!*q->paths)
		found = audit_find_log(policy, err);
	if (err && *err)
		return -1;
	only[0] = found;
	if (!*q->paths)
		q->paths = only;
	return verb == VERB_VERIFY ? audit_verify(q, err) : audit_show(q->paths, q->json, err);
}

static int command_audit(const struct parsed_line *line)
{
	const struct audit_question question = {
		.paths = line->operands,
		.last = line_value(line, OPTION_LAST),
		.journal = line_has(line, OPTION_JOURNAL),
		.json = line_has(line, OPTION_JSON),
	};
	_cleanup_error_ struct error *err = NULL;
	int status = audit(line->verb, &question, &err);

	if (status >= 0)
		return status;
	status = report_error(line->name, err);
	return question.json ? document_failure(err, status) : status;
}

const struct command audit_command = {
	.name = "audit",
	.summary = "show or verify the audit log",
	.about = "Shows or verifies the audit log, which has a record of every request that "
		 "rootlet-helper received. By default FILE is the one that the policy names, if "
		 "you can read it, otherwise your own: $XDG_STATE_HOME/rootlet/audit.log. Several "
		 "files, oldest first, are read as one log that was rotated.",
	.statuses = "0 shown, or intact; 1 failed, or not intact; 2 wrong command line.",
	.rows = audit_rows,
	.run = command_audit,
};
