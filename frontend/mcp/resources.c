#include "frontend/mcp/resources.h"

#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/mcp/call.h"

#define RUNS "rootlet://runs"
#define OFFSET "?offset="
#define OFFSET_DIGITS 18
#define URI_MOST 4096
#define TYPE "text/plain"

json_t *resources_publish(void)
{
	return json_pack(
		"[{s:s, s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s, s:s}]", "uri", RUNS, "name",
		"runs", "title", "Runs of fstests", "description",
		"All runs of fstests on this host, the newest first: id, outcome, filesystem, "
		"kernel and counts",
		"mimeType", TYPE, "uri", RUNS "/last", "name", "last", "title",
		"Files of the last run", "description",
		"Names and sizes of the files of the last run of fstests", "mimeType", TYPE);
}

json_t *resource_templates_publish(void)
{
	return json_pack(
		"[{s:s, s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s, s:s}]",
		"uriTemplate", RUNS "{?offset}", "name", "list-of-runs", "title",
		"List of runs of fstests", "description",
		"All runs, the newest first. offset skips runs", "mimeType", TYPE, "uriTemplate",
		RUNS "/{run}{?offset}", "name", "run", "title", "Files of a run", "description",
		"Names and sizes of a run's files. run is an id, or the word last", "mimeType",
		TYPE, "uriTemplate", RUNS "/{run}/{+path}{?offset}", "name", "file-of-run", "title",
		"File of a run", "description",
		"A page of 2 kB of a file, from offset in bytes on, or of the list of a directory: "
		"tests.jsonl (a line per test), kernel.jsonl, check.out, console.log, "
		"results/generic/001.full. The page says where the next one begins",
		"mimeType", TYPE);
}

/* --- URIs ----------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decodes %XX (RFC 3986, section 2.1) in place. False if TEXT is malformed or has a NUL byte. */
static bool uri_decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++, to++) {
		int high, low;

		*to = *from;
		if (*from != '%')
			continue;
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return true;
}

/* Cuts "?offset=N" off URI. Returns N as a text, "0" without one, or NULL if it is wrong. */
static const char *cut_offset(char *uri)
{
	char *query = strchr(uri, '?');
	size_t digits;

	if (!query)
		return "0";
	if (strncmp(query, OFFSET, strlen(OFFSET)) != 0)
		return NULL;
	*query = '\0';
	query += strlen(OFFSET);
	digits = strspn(query, "0123456789");
	return digits && digits <= OFFSET_DIGITS && !query[digits] ? query : NULL;
}

/* Splits URI, which it modifies, into the words of rootlet __page: a new reference, or NULL. */
static json_t *uri_words(char *uri)
{
	const char *offset = cut_offset(uri);
	char *run = uri + strlen(RUNS), *path;

	if (!offset || strncmp(uri, RUNS, strlen(RUNS)) != 0 || (*run && *run != '/'))
		return NULL;
	run += *run == '/';
	path = run + strcspn(run, "/");
	if (*path)
		*path++ = '\0';
	if (!uri_decode(run) || !uri_decode(path) || (*path && !*run))
		return NULL;
	return json_pack("[o, o, o]", json_text(offset), json_text(run), json_text(path));
}

/* --- reading -------------------------------------------------------------------------------- */

static void resource_missing(struct mcp_server *s, struct rpc_request *r, const char *why)
{
	rpc_reply_error(s, r, RPC_RESOURCE_NOT_FOUND, "Resource not found: %s", why);
}

/* "There is more: rootlet://runs/last/check.out?offset=1790 (of 65536)" */
static json_t *resource_more(const char *uri, const json_t *page)
{
	const json_t *next = json_object_get(page, "next");

	if (!json_is_integer(next))
		return NULL;
	return json_sprintf("\n[more: %.*s" OFFSET "%" JSON_INTEGER_FORMAT
			    ", of %" JSON_INTEGER_FORMAT "]\n",
			    (int)strcspn(uri, "?"), uri, json_integer_value(next),
			    json_integer_value(json_object_get(page, "size")));
}

static void resource_answer(struct mcp_server *s, struct rpc_request *r,
			    const struct call_ending *e)
{
	const char *uri = json_string_value(json_object_get(e->arguments, "uri"));
	const json_t *error = json_object_get(e->result, "error");
	const char *why = json_string_value(json_object_get(error, "message"));
	json_t *text = json_object_get(e->result, "text"), *more, *contents;

	if (!json_is_string(text)) {
		resource_missing(s, r, why ? why : e->diagnostics);
		return;
	}
	contents = json_pack("[{s:s, s:s, s:O}]", "uri", uri, "mimeType", TYPE, "text", text);
	more = resource_more(uri, e->result);
	if (more)
		json_array_append_new(contents, json_pack("{s:s, s:s, s:o}", "uri", uri, "mimeType",
							  TYPE, "text", more));
	rpc_reply(s, r, json_pack("{s:o}", "contents", contents));
}

json_t *resources_tool(void)
{
	return json_pack("{s:s, s:{s:[s], s:{s:s}}}", "name", "resources/read", "command", "words",
			 "__page", "arguments", "words", "");
}

void resource_read(struct mcp_server *s, struct rpc_request *r, const char *uri)
{
	_cleanup_free_ char *copy = strlen(uri) < URI_MOST ? strdup(uri) : NULL;
	json_t *words = copy ? uri_words(copy) : NULL, *arguments;

	if (!words) {
		resource_missing(s, r, "see resources/templates/list");
		return;
	}
	arguments = json_pack("{s:s, s:o}", "uri", uri, "words", words);
	call_start(s, r, s->page_tool, arguments, NULL, resource_answer);
	json_decref(arguments);
}
