/* frontend/cli/text.c, frontend/cli/suggest.c, and how frontend/cli/events.c splits output
 * into events. */
#include "frontend/cli/text.h"

#include "frontend/cli/events.h"
#include "frontend/cli/suggest.h"
#include "tap.h"

/* RFC 3629, sections 3 and 4: well-formed text is kept, each invalid byte becomes '?'. */
static const struct {
	const char *what, *text, *expected;
} utf8[] = {
	{ "ASCII", "abc", "abc" },
	{ "nothing", "", "" },
	{ "two, three and four bytes", "\u00e4\u20ac\U0001f600", "\u00e4\u20ac\U0001f600" },
	{ "the first and last of each length",
	  "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80",
	  "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80" },
	{ "U+10FFFF", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
	{ "beyond U+10FFFF", "\xf4\x90\x80\x80", "????" },
	{ "a surrogate", "\xed\xa0\x80", "???" },
	{ "over-long, two bytes", "\xc0\xaf", "??" },
	{ "over-long, three bytes", "\xe0\x9f\xbf", "???" },
	{ "over-long, four bytes", "\xf0\x8f\xbf\xbf", "????" },
	{ "a lone continuation byte", "a\x80z", "a?z" },
	{ "truncated at the end", "a\xe2\x82", "a??" },
	{ "truncated in the middle", "\xe2\x82z", "??z" },
	{ "bytes that are never used", "\xfe\xff", "??" },
};

/* Each byte of a terminal control becomes '?'. LINES: the same, keeping newlines and tabs; NULL: no
 * difference. */
static const struct {
	const char *what, *text, *expected, *lines;
} shown[] = {
	{ "text", "a z \u00e4\u20ac\U0001f600", "a z \u00e4\u20ac\U0001f600", NULL },
	{ "nothing", "", "", NULL },
	{ "ESC, BEL, backspace, CR", "\033[2J\a\b\r", "?[2J???", NULL },
	{ "newline and tab", "a\nb\tc", "a?b?c", "a\nb\tc" },
	{ "DEL", "\x7f", "?", NULL },
	{ "the first C1",
	  "a\xc2\x80"
	  "z",
	  "a??z", NULL },
	{ "CSI, U+009B",
	  "\xc2\x9b"
	  "2J",
	  "??2J", NULL },
	{ "OSC, U+009D",
	  "\xc2\x9d"
	  "0;x\xc2\x9c"
	  "",
	  "??0;x??", NULL },
	{ "DCS, U+0090",
	  "\xc2\x90"
	  "q",
	  "??q", NULL },
	{ "the last C1",
	  "\xc2\x9f"
	  "",
	  "??", NULL },
	{ "the first characters after C1", "\u00a0\u00a1", "\u00a0\u00a1", NULL },
	{ "C1 bytes in other characters", "\u00db\u201b\u2000", "\u00db\u201b\u2000", NULL },
	{ "a raw C1 byte",
	  "a\x9b"
	  "2J",
	  "a?2J", NULL },
	{ "a raw C1 byte after a character", "\u00e4\x9b", "\u00e4?", NULL },
	{ "Latin-1", "\xe4\x9b", "??", NULL },
	{ "C1, over-long", "\xe0\x82\x9b", "???", NULL },
	{ "ESC, over-long", "\xc0\x9b", "??", NULL },
	{ "truncated before C1", "\xc2", "?", NULL },
	{ "truncated, then ESC", "\xe2\x82\033", "???", NULL },
};

static const struct {
	const char *what, *json, *expected;
} escaped[] = {
	{ "nothing to do", "{\"a\":\"\u00e4 \\u001b\"}", "{\"a\":\"\u00e4 \\u001b\"}" },
	{ "C1",
	  "[\"\xc2\x80"
	  "\xc2\x9b"
	  "\xc2\x9f"
	  "\u00a0\"]",
	  "[\"\\u0080\\u009b\\u009f\u00a0\"]" },
	{ "DEL", "[\"\x7f\"]", "[\"\\u007f\"]" },
};

static const struct {
	const char *word, *expected;
} words[] = {
	{ "create", "create" },
	{ "crate", "create" },
	{ "craete", "create" },
	{ "creat", "create" },
	{ "chekc", "check" },
	{ "lsit", "list" },
	{ "remove", NULL },
	{ "zzz", NULL },
	{ "x", NULL },
	{ "delet", "delete" },
	{ "shel", "shell" },
	{ "rnu", "run" },
	{ "profile", "profiles" },
	{ "doc", "doctor" },
	{ "", NULL },
	{ "a-word-that-is-far-longer-than-every-command-that-there-could-be", NULL },
};

static const struct {
	int64_t seconds;
	const char *expected;
} ages[] = {
	{ -1, "0 seconds" },	     { 0, "0 seconds" },     { 1, "1 second" },
	{ 59, "59 seconds" },	     { 60, "1 minute" },     { 119, "1 minute" },
	{ 120, "2 minutes" },	     { 3599, "59 minutes" }, { 3600, "1 hour" },
	{ 86399, "23 hours" },	     { 86400, "1 day" },     { 2 * 86400, "2 days" },
	{ INT64_MAX, "99999 days" },
};

static const char *const commands[] = { "create", "check", "list",     "delete",
					"shell",  "run",   "profiles", "doctor" };

static void check_utf8(void)
{
	for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", utf8[i].text);
		tap_check(tap_same(text_utf8(text), utf8[i].expected), "UTF-8: %s", utf8[i].what);
	}
}

static void check_fitting(void)
{
	static const struct {
		const char *what, *text;
		size_t most, fits;
	} rows[] = {
		{ "all of a short text", "abc", 8, 3 },
		{ "exactly", "abc", 3, 3 },
		{ "the beginning", "abcdef", 4, 4 },
		{ "no half of a character", "ab\xe2\x80\xa6z", 4, 2 },
		{ "the whole character", "ab\xe2\x80\xa6z", 5, 5 },
		{ "nothing, if the first one is too long", "\xf0\x9f\x98\x80", 3, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tap_check(text_fitting(rows[i].text, rows[i].most) == rows[i].fits, "fitting: %s",
			  rows[i].what);
}

static void check_shown(void)
{
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const char *lines = shown[i].lines ? shown[i].lines : shown[i].expected;
		char one[64], more[64];

		snprintf(one, sizeof(one), "%s", shown[i].text);
		snprintf(more, sizeof(more), "%s", shown[i].text);
		tap_check(text_is_clean(one) == tap_same(one, shown[i].expected) &&
				  tap_same(text_clean(one), shown[i].expected) &&
				  text_is_clean(one),
			  "shown on a line: %s", shown[i].what);
		tap_check(tap_same(text_clean_lines(more), lines), "shown on lines: %s",
			  shown[i].what);
	}
}

static void check_json(void)
{
	json_t *nested =
		json_loads("{\"a\":[\"\\u009bx\\n\",{\"b\":\"\\u001b\"},1,null]}", 0, NULL);
	char *text;

	for (size_t i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++) {
		size_t size;
		FILE *out = open_memstream(&text, &size);

		text_print_json(out, escaped[i].json);
		fclose(out);
		tap_check(tap_same(text, escaped[i].expected), "JSON: %s", escaped[i].what);
		free(text);
	}
	json_clean(nested);
	text = json_dumps(nested, JSON_COMPACT);
	tap_check(tap_same(text, "{\"a\":[\"??x\\n\",{\"b\":\"?\"},1,null]}"),
		  "JSON of a file: each string");
	printf("# %s\n", text);
	free(text);
	json_decref(nested);
}

static void check_ages(void)
{
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		char text[TEXT_DURATION_LEN];

		tap_check(tap_same(text_age(ages[i].seconds, text), ages[i].expected), "age: %s",
			  ages[i].expected);
	}
}

static void check_suggestions(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *found =
			suggest(words[i].word, commands, sizeof(commands) / sizeof(commands[0]));

		tap_check(tap_same(found, words[i].expected), "suggested for \"%s\": %s",
			  words[i].word, found ? found : "nothing");
	}
}

/* Feeds TEXT in pieces of STEP bytes; returns the combined text of the events, which the caller
 * frees. */
static char *run_output(const char *text, size_t size, size_t step, size_t *events)
{
	struct output_events o = { .stream = "stdout" };
	char *all = NULL, *line = NULL;
	size_t room = 0, length = 0;
	FILE *out = open_memstream(&all, &length), *in = tmpfile();
	int saved = dup(STDOUT_FILENO);

	*events = 0;
	fflush(stdout);
	dup2(fileno(in), STDOUT_FILENO);
	for (size_t i = 0; i < size; i += step)
		output_events_take(&o, text + i, size - i < step ? size - i : step);
	output_events_flush(&o);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(in);
	while (getline(&line, &room, in) > 0) {
		json_t *event = json_loads(line, 0, NULL);
		const char *piece = json_string_value(json_object_get(event, "text"));

		fputs(piece ? piece : "<no event>", out);
		json_decref(event);
		(*events)++;
	}
	free(line);
	fclose(in);
	fclose(out);
	return all;
}

/* However it is split, no character is broken and nothing is lost. */
static void check_output(void)
{
	static char text[20000];
	size_t size = 0, events;

	while (size < sizeof(text) - 3)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "\u20ac");
	for (size_t step = 1; step < 6000; step = step * 3 + 1) {
		_cleanup_free_ char *all = run_output(text, size, step, &events);

		tap_check(tap_same(all, text) && events >= size / 4096,
			  "output without a newline, %zu bytes at a time, breaks no characters",
			  step);
	}
	for (size_t step = 1; step < 30; step += 7) {
		_cleanup_free_ char *all = run_output("one\ntwo\nthree", 13, step, &events);

		tap_check(tap_same(all, "one\ntwo\nthree") && events >= 2 &&
				  (step > 1 || events == 3),
			  "output of lines, %zu bytes at a time", step);
	}
}

int main(void)
{
	check_utf8();
	check_fitting();
	check_shown();
	check_json();
	check_ages();
	check_suggestions();
	check_output();
	return tap_done();
}
