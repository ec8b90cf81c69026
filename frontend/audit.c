/* rootlet audit: shows the record of requests, and finds what was removed, changed or moved in it.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <string.h>

#include "frontend/command.h"
#include "frontend/events.h"
#include "frontend/paths.h"
#include "frontend/suggest.h"
#include "frontend/text.h"
#include "policy/policy.h"
#include "proto/validate.h"

const char audit_help[] =
	"usage: rootlet audit [show] [FILE…] [--json]\n"
	"       rootlet audit verify [FILE…] [--last HASH] [--json]\n\n"
	"The record of every request that rootlet-helper got. FILE is by default the one that the\n"
	"policy names where you can read it, else your own: $XDG_STATE_HOME/rootlet/audit.log.\n"
	"Several files, oldest first, are one record that was rotated.\n\n"
	"  show FILE…    a line for each request, with its result (default)\n"
	"  verify FILE…  every record has its own hash, and that of the one before it: says which "
	"was\n"
	"                removed, changed or moved, and the last hash\n"
	"  --last HASH   with verify: a hash that was kept elsewhere, as the journal does, has to "
	"be\n"
	"                in the record: else what was cut off from the end does not show\n"
	"  --json        show: the records as they stand, one a line; verify: an object\n"
	"  --color WHEN  auto (default), always or never\n"
	"  --help\n\n"
	"Exit status: 0 shown, or whole; 1 failed, or not whole; 2 wrong command line.\n";

static const char *const verbs[] = { "show", "verify" };

enum option_code { OPTION_JSON = 256, OPTION_LAST };

const struct option audit_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "last", required_argument, NULL, OPTION_LAST },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Records that others may follow where the chain has parted. */
#define HEADS_MAX 64

struct chain {
	const char *path;
	const char *wanted; /* a hash that has to be there, or NULL */
	uint64_t line, records, faults, last_number;
	bool found, begun, hashed;
	json_t *complaints; /* NULL: they are printed */
	char last[2 * SHA256_LEN + 1];
	size_t heads; /* records since the chain may have parted; 0: it is one */
	char head[HEADS_MAX][2 * SHA256_LEN + 1];
};

typedef void visit(const char *line, size_t length, void *context);

static int each_line(const char *path, visit *function, void *context, struct error **err)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open the record %s", path);
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		function(line, (size_t)n, context);
	}
	return 0;
}

/* --- show --- */

static const char *text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

/* Intents are shown only where no result follows: a result says all that its intent did. */
struct listing {
	bool json;	 /* the records as they stand */
	json_t *pending; /* intents by the helper that has them open */
	json_t *damaged; /* lines before the first record of a file: of one that has none, nothing
			    is shown */
	bool any;	 /* record, in this file */
};

static void print_record(const json_t *r)
{
	const char *result = text_of(r, "result"), *message = text_of(r, "message");

	printf("%.19s %-8s %-7s %-14s %s%s%s", text_of(r, "time"), text_of(r, "user"),
	       text_of(r, "decision"), text_of(r, "request"), text_of(r, "arguments"),
	       *text_of(r, "arguments") ? " " : "",
	       *result ? "" : "(no result: it was killed, or runs)");
	if (*result)
		printf("%s%s%s (%s, %" JSON_INTEGER_FORMAT " ms)", result, *message ? ": " : "",
		       message, text_of(r, "rule"),
		       json_integer_value(json_object_get(r, "milliseconds")));
	printf("\n");
}

/* What is no record is shown all the same. */
static void show_damaged(struct listing *listing)
{
	const json_t *line;
	size_t i;

	json_array_foreach(listing->damaged, i, line) if (listing->json)
		document_print(json_pack("{s:O}", "damaged", line));
	else puts("(a line that is no record)");
	json_array_clear(listing->damaged);
}

static void show_record(struct listing *listing, json_t *record)
{
	json_t *intent;
	char helper[32];

	snprintf(helper, sizeof(helper), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(record, "helper")));
	intent = json_object_get(listing->pending, helper);
	if (intent && strcmp(text_of(record, "kind"), "result") != 0)
		print_record(intent);
	json_object_del(listing->pending, helper);
	if (strcmp(text_of(record, "kind"), "intent") == 0)
		json_object_set(listing->pending, helper, record);
	else
		print_record(record);
}

static void show_line(const char *line, size_t length, void *context)
{
	struct listing *listing = context;
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

/* A file of something else is not shown line by line. */
static int show_file(struct listing *listing, const char *path, struct error **err)
{
	listing->any = false;
	if (each_line(path, show_line, listing, err) < 0)
		return -1;
	if (!listing->any && json_array_size(listing->damaged))
		return error_set(
			err, ERR_REFUSED,
			"%s is no record of requests: none of its lines is one; see: rootlet "
			"audit --help",
			path);
	return 0;
}

static int show(char **paths, bool json, struct error **err)
{
	struct listing listing = {
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

/* --- verify --- */

static void remark(struct chain *c, const char *message)
{
	if (c->complaints)
		json_array_append_new(c->complaints,
				      json_pack("{s:o, s:I, s:o}", "path", json_text(c->path),
						"line", (json_int_t)c->line, "message",
						json_text(message)));
	else if (c->line)
		printf("%s:%" PRIu64 ": %s\n", c->path, c->line, message);
	else
		printf("%s\n", message);
}

static void complain(struct chain *c, const char *format, ...) PRINTF_LIKE(2, 3);
static void complain(struct chain *c, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	remark(c, message ? message : "out of memory");
	c->faults++;
}

/* No fault: records are rotated. */
static void remark_begin(struct chain *c, uint64_t number, const char *prev)
{
	char message[256];

	snprintf(message, sizeof(message),
		 "the record begins with number %" PRIu64 ": what was before it is in an older "
		 "file, or was removed; its last hash was %.64s",
		 number, prev);
	remark(c, message);
}

#define HASH_KEY ",\"hash\":\""
#define HASH_BYTES (sizeof(HASH_KEY) - 1 + 2 * SHA256_LEN + 2)

/* A record's own hash has to be that of all before it. Records of old have none, and count by the
 * hash of all of them; after one that has, there are no more of these. */
static void check_own_hash(struct chain *c, const char *line, size_t length, const json_t *record)
{
	const char *own = text_of(record, "hash");
	bool ends = length > HASH_BYTES && strlen(own) == 2 * SHA256_LEN &&
		    memcmp(line + length - HASH_BYTES, HASH_KEY, sizeof(HASH_KEY) - 1) == 0;
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(line, ends ? length - HASH_BYTES : length, sum, NULL, EVP_sha256(), NULL) ==
	    1)
		sha256_to_hex(sum, c->last);
	if (record && (ends ? strcmp(c->last, own) != 0 : c->hashed))
		complain(c, "record %" JSON_INTEGER_FORMAT " was changed: its hash is another",
			 json_integer_value(json_object_get(record, "seq")));
	if (ends) {
		snprintf(c->last, sizeof(c->last), "%s", own);
		c->hashed = true;
	}
}

static void add_head(struct chain *c)
{
	memcpy(c->head[c->heads++ % HEADS_MAX], c->last, sizeof(c->last));
}

/* Where records are written without the file's lock, which another rootlet-helper keeps, each may
 * follow from any of the last ones, and so may the one of who kept the lock. With the next that is
 * written under the lock the chain is one again. */
static bool follows(struct chain *c, const char *prev, bool unlocked)
{
	bool last = strcmp(prev, c->last) == 0;

	if (unlocked && c->heads == 0)
		add_head(c);
	for (size_t i = 0; !last && i < c->heads && i < HEADS_MAX; i++)
		if (strcmp(prev, c->head[i]) == 0)
			return true;
	if (last && !unlocked)
		c->heads = 0;
	return last;
}

static void remark_unlocked(struct chain *c, uint64_t number)
{
	char message[256];

	snprintf(message, sizeof(message),
		 "record %" PRIu64 " was written without the file's lock, which another "
		 "rootlet-helper kept: what follows from none of the next is held by the journal "
		 "alone",
		 number);
	remark(c, message);
}

static void check_line(const char *line, size_t length, void *context)
{
	struct chain *c = context;
	json_t *record = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	const char *prev = text_of(record, "prev");
	uint64_t number = (uint64_t)json_integer_value(json_object_get(record, "seq"));
	bool unlocked = json_is_true(json_object_get(record, "unlocked"));

	c->line++;
	c->records++;
	if (record && c->begun && follows(c, prev, unlocked))
		prev = c->last;
	if (unlocked)
		remark_unlocked(c, number);
	if (!record)
		complain(c, "it is no record: cut short, or changed");
	else if (c->begun && strcmp(prev, c->last) != 0 && number == c->last_number + 1)
		complain(c,
			 "record %" PRIu64
			 " does not follow from the one before it: one of the two "
			 "was changed",
			 number);
	else if (c->begun && strcmp(prev, c->last) != 0)
		complain(c, "record %" PRIu64 " stands after %" PRIu64 ": %s", number,
			 c->last_number,
			 number > c->last_number ? "what was between them was removed"
						 : "they were moved, or one was put in");
	else if (!c->begun && (number != 1 || strspn(prev, "0") != 2 * SHA256_LEN))
		remark_begin(c, number, prev);
	check_own_hash(c, line, length, record);
	if (c->heads)
		add_head(c);
	c->found = c->found || (c->wanted && strcmp(c->wanted, c->last) == 0);
	c->begun = true;
	c->last_number = number;
	json_decref(record);
}

static void print_chain(struct chain *c)
{
	if (c->complaints) {
		document_print(json_pack("{s:I, s:I, s:O, s:I, s:o}", "records",
					 (json_int_t)c->records, "faults", (json_int_t)c->faults,
					 "remarks", c->complaints, "last_number",
					 (json_int_t)c->last_number, "last_hash",
					 json_text(*c->last ? c->last : NULL)));
		return;
	}
	printf("%" PRIu64 " records, %" PRIu64 " fault%s; the last: number %" PRIu64 ", hash %s\n",
	       c->records, c->faults, c->faults == 1 ? "" : "s", c->last_number,
	       *c->last ? c->last : "none");
}

static int verify(char **paths, const char *wanted, bool json, struct error **err)
{
	struct chain c = { .wanted = wanted, .complaints = json ? json_array() : NULL };
	int r = 0;

	for (; *paths && r == 0; paths++) {
		c.path = *paths;
		c.line = 0;
		r = each_line(*paths, check_line, &c, err);
	}
	if (r == 0 && wanted && !c.found) {
		c.line = 0;
		complain(&c, "no record has the hash %s: the end was cut off", wanted);
	}
	if (r == 0) {
		print_chain(&c);
		r = c.faults ? EXIT_FAILED : EXIT_OK;
	}
	json_decref(c.complaints);
	return r;
}

/* The policy's file where there is one to read, else the caller's own. */
static char *find_record(struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = NULL;

	if (policy_load(POLICY_PATH, false, &policy, NULL) == 0 && policy &&
	    access(policy->file, R_OK) == 0)
		return strdup(policy->file);
	return paths_state("audit.log", err);
}

static int audit(char **paths, const char *verb, bool json, const char *last, struct error **err)
{
	_cleanup_free_ char *own = *paths ? NULL : find_record(err);
	char *only[] = { own, NULL };

	if (!*paths && !own)
		return -1;
	if (!*paths)
		paths = only;
	return strcmp(verb, "verify") == 0 ? verify(paths, last, json, err)
					   : show(paths, json, err);
}

/* A mistyped verb would be taken for a file that is not there. */
static bool is_mistyped(const char *word)
{
	return !strchr(word, '/') && access(word, F_OK) < 0 &&
	       suggest(word, verbs, sizeof(verbs) / sizeof(*verbs));
}

int command_audit(int argc, char **argv)
{
	_cleanup_error_ struct error *err = NULL;
	const char *verb = "show", *last = NULL;
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "", audit_options, NULL)) != -1) {
		if (option == OPTION_JSON)
			json = true;
		else
			last = optarg;
	}
	if (optind < argc &&
	    (strcmp(argv[optind], "show") == 0 || strcmp(argv[optind], "verify") == 0))
		verb = argv[optind++];
	else if (optind < argc && is_mistyped(argv[optind]))
		return report_verb(argv[0], argv[optind], verbs, sizeof(verbs) / sizeof(*verbs));
	if (last && strcmp(verb, "verify") != 0)
		return report_usage(argv[0], "--last is for verify");
	status = audit(argv + optind, verb, json, last, &err);
	if (status >= 0)
		return status;
	status = report_error(argv[0], err);
	return json ? document_failure(err, status) : status;
}
