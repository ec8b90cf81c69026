#include "frontend/reports/html.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "report_page.h"

/* Bytes. They keep the page small enough for a browser and for a mail. */
#define TEXTS_MOST (4u << 20)
#define TEXT_MOST 16384
#define KERNEL_MOST 1000 /* messages of a run */

/* Strings that occur once in the page, however often they are used. Owns them. */
struct string_table {
	char **list;
	size_t count;
	struct test_index index;
};

struct html_page {
	struct string_table tests, texts;
	size_t room;	 /* what is left of TEXTS_MOST */
	size_t left_out; /* texts for which there was no room */
	bool failed;	 /* out of memory */
};

static void string_table_clear(struct string_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->list[i]);
	free(t->list);
	test_index_clear(&t->index);
}

static void html_page_clear(struct html_page *page)
{
	string_table_clear(&page->tests);
	string_table_clear(&page->texts);
}

static struct test_key string_key_at(const void *list, size_t position)
{
	return (struct test_key){ "", ((char *const *)list)[position] };
}

static size_t string_table_find(const struct string_table *t, const char *text)
{
	return test_index_find(&t->index, t->list, string_key_at, "", text);
}

/* Returns the position of TEXT. */
static size_t string_table_add(struct html_page *page, struct string_table *t, const char *text)
{
	size_t at = string_table_find(t, text);
	char **added;

	if (at != TEST_INDEX_NONE)
		return at;
	added = array_grow(&t->list, t->count, sizeof(*t->list));
	if (!added || !(*added = strdup(text)) ||
	    !test_index_add(&t->index, t->list, string_key_at, t->count)) {
		free(added ? *added : NULL);
		page->failed = true;
		return 0;
	}
	return t->count++;
}

/* How many bytes TEXT takes in the page. */
static size_t html_length(const char *text)
{
	size_t length = 0;

	for (; *text; text++)
		length += strchr("<>&", *text) ? 6 : strchr("\n\t\"\\", *text) ? 2 : 1;
	return length;
}

/* The position of TEXT among the page's texts; null if there is no text, or no room for it. */
static json_t *html_text(struct html_page *page, const char *text)
{
	_cleanup_free_ char *cut = NULL;
	size_t length;

	if (!text || !*text)
		return json_null();
	if (strlen(text) > TEXT_MOST) {
		cut = strndup(text, text_fitting(text, TEXT_MOST));
		text = cut ? cut : "";
		page->failed |= !cut;
	}
	length = html_length(text);
	if (string_table_find(&page->texts, text) == TEST_INDEX_NONE) {
		if (length > page->room) {
			page->left_out++;
			return json_null();
		}
		page->room -= length;
	}
	return json_integer((json_int_t)string_table_add(page, &page->texts, text));
}

/* --- a column: the results of one run with one configuration -------------------------------- */

struct html_column {
	const char *section;
	const struct test_result **gravest; /* for each of the page's tests; NULL: none */
	json_t *again;			    /* statuses of tests that ran more than once, "011" */
};

struct html_columns {
	struct html_column *list;
	size_t count;
};

static void html_columns_clear(struct html_columns *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->list[i].gravest);
		json_decref(c->list[i].again);
	}
	free(c->list);
}

/* A test that ran several times counts with its gravest result. */
static int html_gravity(enum test_status status)
{
	static const int gravities[TEST_STATUSES] = {
		[TEST_EXPUNGED] = 1, [TEST_EXCLUDED] = 1, [TEST_NOTRUN] = 2, [TEST_UNREACHED] = 3,
		[TEST_PASS] = 4,     [TEST_TIMEOUT] = 5,  [TEST_FAIL] = 6,   [TEST_CRASH] = 7,
	};

	return gravities[status];
}

/* Returns the run's column for SECTION, or NULL if out of memory. */
static struct html_column *html_column_of(const struct html_page *page, struct html_columns *c,
					  const char *section)
{
	struct html_column *column;

	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->list[i].section, section) == 0)
			return &c->list[i];
	column = array_grow(&c->list, c->count, sizeof(*c->list));
	if (!column)
		return NULL;
	column->section = section;
	column->gravest = calloc(page->tests.count + 1, sizeof(struct test_result *));
	column->again = json_object();
	c->count++;
	return column->gravest ? column : NULL;
}

static bool html_place(const struct html_page *page, struct html_columns *c,
		       const struct test_result *result)
{
	struct html_column *column = html_column_of(page, c, result->section);
	const struct test_result **place;
	_cleanup_free_ char *again = NULL;
	const char *before;

	if (!column)
		return false;
	place = &column->gravest[string_table_find(&page->tests, result->name)];
	if (!*place) {
		*place = result;
		return true;
	}
	before = json_string_value(json_object_get(column->again, result->name));
	if (asprintf(&again, "%.*s%c%c", before ? (int)strlen(before) - 1 : 0, before ? before : "",
		     before ? before[strlen(before) - 1] : '0' + (int)(*place)->status,
		     '0' + (int)result->status) < 0)
		return false;
	json_object_set_new(column->again, result->name, json_string(again));
	if (html_gravity(result->status) > html_gravity((*place)->status))
		*place = result;
	return true;
}

/* What there is to say about a result: its reason, its detail, the beginning of what it printed,
 * the size of all of that, and its guest. */
static json_t *html_why(struct html_page *page, const struct report_run *run,
			const struct test_result *result)
{
	_cleanup_free_ char *seen = NULL, *reason = NULL;
	bool excused = report_is_excused(result);
	uint64_t size = 0;
	json_t *why = json_array();

	if (asprintf(&reason, "%s%s%s", excused ? test_excuse_text(result->excuse) : "",
		     excused && result->reason ? ": " : "",
		     result->reason ? result->reason : "") < 0) {
		reason = NULL;
		page->failed = true;
	}
	if (result->status == TEST_FAIL && page->room > TEXT_MOST)
		seen = report_read_file(run, result, "out.bad", TEXT_MOST, &size);
	json_array_append_new(why, html_text(page, reason));
	json_array_append_new(why, html_text(page, result->detail));
	json_array_append_new(why, html_text(page, seen));
	json_array_append_new(why, json_integer((json_int_t)size));
	json_array_append_new(why, json_integer(result->guest));
	return why;
}

static json_t *html_column(struct html_page *page, const struct report *r, size_t run,
			   const struct html_column *column)
{
	size_t count = page->tests.count;
	_cleanup_free_ char *statuses = calloc(1, count + 1);
	json_t *tenths = json_array(), *why = json_object();

	for (size_t i = 0; statuses && i < count; i++) {
		const struct test_result *result = column->gravest[i];
		double seconds = result ? result->seconds : 0;

		statuses[i] = (char)(result ? '0' + (int)result->status : '.');
		if (!(seconds > 0 && seconds < 1e9))
			seconds = 0;
		json_array_append_new(tenths, json_integer((json_int_t)(seconds * 10 + 0.5)));
		if (result && (result->reason || report_is_bad(result->status)))
			json_object_set_new(why, result->name,
					    html_why(page, &r->runs[run], result));
	}
	page->failed |= !statuses;
	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:O}", "run", (json_int_t)run, "configuration",
			 *column->section
				 ? column->section
				 : report_configuration(&r->runs[run],
							&(struct test_result){ .section = "" }),
			 "statuses", statuses ? statuses : "", "tenths", tenths, "why", why,
			 "again", column->again);
}

/* The newest run comes first, so that its texts have room, but its columns come last. */
static json_t *html_all_columns(struct html_page *page, const struct report *r)
{
	json_t *all = json_array();

	for (size_t i = r->count; i-- > 0;) {
		_cleanup_(html_columns_clear) struct html_columns columns = { 0 };
		const struct results *results = &r->runs[i].results;

		for (size_t k = 0; k < results->count; k++)
			page->failed |= !html_place(page, &columns, &results->list[k]);
		for (size_t k = 0; k < columns.count && !page->failed; k++)
			json_array_insert_new(all, k, html_column(page, r, i, &columns.list[k]));
	}
	return all;
}

/* --- the rest of the data ------------------------------------------------------------------- */

/* VALUE if it is what the page expects, else null: the page's script would end at an object. */
static json_t *html_of_type(json_t *value, bool number)
{
	return (number ? json_is_number(value) : json_is_string(value)) ? json_incref(value)
									: json_null();
}

static json_t *html_kernel(struct html_page *page, const struct report *r)
{
	json_t *all = json_array(), *one;

	for (size_t i = r->count; i-- > 0;) {
		const struct report_run *run = &r->runs[i];
		size_t at;

		json_array_foreach(run->kernel, at, one)
		{
			if (at == KERNEL_MOST) {
				page->left_out += json_array_size(run->kernel) - at;
				break;
			}
			json_array_append_new(
				all,
				json_pack("{s:I, s:o, s:o, s:o, s:o}", "run", (json_int_t)i, "kind",
					  html_of_type(json_object_get(one, "kind"), false), "test",
					  html_of_type(json_object_get(one, "test"), false), "line",
					  html_text(page, json_string_value(
								  json_object_get(one, "line"))),
					  "trace",
					  html_text(page, json_string_value(
								  json_object_get(one, "trace")))));
		}
	}
	return all;
}

static json_t *html_runs(const struct report *r)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->count; i++) {
		const struct report_run *run = &r->runs[i];
		const json_t *record = run->record;

		json_array_append_new(
			all,
			json_pack("{s:o, s:s, s:I, s:I, s:o, s:o, s:o}", "id",
				  json_text(run->dir.id), "state", run->state, "began",
				  (json_int_t)run->began, "unread", (json_int_t)run->unread,
				  "seconds", html_of_type(json_object_get(record, "seconds"), true),
				  "kernel_version",
				  html_of_type(json_object_get(record, "kernel_version"), false),
				  "fstype",
				  html_of_type(json_object_get(record, "fstype"), false)));
	}
	return all;
}

static json_t *html_statuses(void)
{
	json_t *all = json_array();

	for (size_t i = 0; i < TEST_STATUSES; i++)
		json_array_append_new(all,
				      json_pack("[s, s, b]", test_status_name((enum test_status)i),
						report_word((enum test_status)i),
						report_is_bad((enum test_status)i)));
	return all;
}

static json_t *html_strings(const struct string_table *t)
{
	json_t *all = json_array();

	for (size_t i = 0; i < t->count; i++)
		json_array_append_new(all, json_text(t->list[i]));
	return all;
}

static json_t *html_data(struct html_page *page, const struct report *r)
{
	json_t *columns, *kernel;

	for (size_t i = 0; i < r->count; i++)
		for (size_t k = 0; k < r->runs[i].results.count; k++)
			string_table_add(page, &page->tests, r->runs[i].results.list[k].name);
	if (page->failed)
		return NULL;
	columns = html_all_columns(page, r);
	kernel = html_kernel(page, r);
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "version",
			 ROOTLET_VERSION, "made", (json_int_t)time(NULL), "statuses",
			 html_statuses(), "runs", html_runs(r), "tests", html_strings(&page->tests),
			 "columns", columns, "kernel", kernel, "texts", html_strings(&page->texts),
			 "left_out", (json_int_t)page->left_out);
}

/* Nothing in the block can end it or begin markup: these characters occur only in strings. */
static void html_print_data(FILE *out, const char *json)
{
	while (*json) {
		size_t plain = strcspn(json, "<>&\x7f");

		fwrite(json, 1, plain, out);
		json += plain;
		if (*json)
			fprintf(out, "\\u%04x", (unsigned)*json++);
	}
}

char *html_of_report(const struct report *r)
{
	_cleanup_(html_page_clear) struct html_page page = { .room = TEXTS_MOST };
	_cleanup_free_ char *json = NULL;
	json_t *data = html_data(&page, r);
	char *text = NULL;
	size_t size;
	FILE *out;

	/* All that is not ASCII is escaped, too: U+2028, and controls that a terminal obeys. */
	json = data ? json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	json_decref(data);
	out = json && !page.failed ? open_memstream(&text, &size) : NULL;
	if (!out)
		return NULL;
	fputs(report_page_begin, out);
	html_print_data(out, json);
	fputs(report_page_end, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
