/* frontend/fstests/result_line.c: whatever it reads, the full reader of results.c reads too, and
 * finds the same. */
#include "frontend/fstests/result_line.h"

#include "frontend/fstests/results.h"
#include "tap.h"

static const struct {
	const char *claim, *line;
	bool fast;
} lines[] = {
	{ "a passed test", "{\"name\":\"generic/001\",\"status\":\"pass\",\"seconds\":1.5}", true },
	{ "a test in a section",
	  "{\"section\":\"4k\",\"name\":\"generic/001\",\"status\":\"pass\",\"seconds\":1e2}",
	  true },
	{ "spaces", "{ \"name\" : \"a/1\" , \"status\" : \"fail\" , \"seconds\" : 0.25 }", true },
	{ "a detail with escapes",
	  "{\"name\":\"a/1\",\"status\":\"fail\",\"detail\":\"a\\n\\\"b\\\\\",\"guest\":2}", true },
	{ "a name with escapes", "{\"name\":\"a\\/1\",\"status\":\"fail\"}", false },
	{ "a status with escapes", "{\"name\":\"a/1\",\"status\":\"p\\u0061ss\"}", false },
	{ "an escape that does not exist",
	  "{\"name\":\"a/1\",\"status\":\"fail\",\"reason\":\"\\x\"}", false },
	{ "a reason beyond ASCII", "{\"name\":\"a/1\",\"status\":\"fail\",\"reason\":\"…\"}",
	  false },
	{ "bytes that are not UTF-8", "{\"name\":\"a/1\",\"status\":\"fail\",\"reason\":\"\xff\"}",
	  false },
	{ "a control character", "{\"name\":\"a/1\",\"status\":\"fail\",\"reason\":\"\t\"}",
	  false },
	{ "an unknown status", "{\"name\":\"a/1\",\"status\":\"good\"}", true },
	{ "a name that is a number", "{\"name\":1,\"status\":\"pass\"}", false },
	{ "seconds that are text", "{\"name\":\"a/1\",\"status\":\"pass\",\"seconds\":\"1\"}",
	  false },
	{ "an array", "{\"name\":\"a/1\",\"status\":\"pass\",\"more\":[1]}", false },
	{ "a word", "{\"name\":\"a/1\",\"status\":\"pass\",\"more\":true}", false },
	{ "a number with a leading zero", "{\"name\":\"a/1\",\"status\":\"pass\",\"seconds\":01}",
	  false },
	{ "a number without its end", "{\"name\":\"a/1\",\"status\":\"pass\",\"seconds\":1.}",
	  false },
	{ "two numbers", "{\"name\":\"a/1\",\"status\":\"pass\",\"seconds\":1-2}", false },
	{ "a line without its end", "{\"name\":\"a/1\",\"status\":\"pass\"", false },
	{ "more after the object", "{\"name\":\"a/1\",\"status\":\"pass\"}x", false },
	{ "a comma too many", "{\"name\":\"a/1\",\"status\":\"pass\",}", false },
	{ "a text without its end", "{\"name\":\"a/1\",\"status\":\"pass", false },
	{ "a backslash at the end", "{\"name\":\"a/1\",\"status\":\"pass\\", false },
	{ "nothing", "", false },
	{ "no object", "[]", false },
};

static bool line_text_same(const struct line_text *text, const char *other)
{
	return text->length == strlen(other) &&
	       (text->length == 0 || memcmp(text->start, other, text->length) == 0);
}

static bool readers_agree(const char *line, const struct result_line *fields)
{
	struct results full = { 0 };
	enum test_status status;
	char word[16] = "";
	bool known, same;

	if (fields->status.length < sizeof(word) && fields->status.start)
		memcpy(word, fields->status.start, fields->status.length);
	known = test_status_parse(word, &status);
	results_read_line(&full, line, strlen(line), NULL);
	same = full.count == (known ? 1 : 0);
	if (same && known)
		same = full.list->status == status &&
		       line_text_same(&fields->name, full.list->name) &&
		       line_text_same(&fields->section, full.list->section) &&
		       full.list->seconds >= fields->seconds &&
		       full.list->seconds <= fields->seconds;
	results_clear(&full);
	return same;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct result_line fields;
		bool fast = result_line_read(lines[i].line, strlen(lines[i].line), &fields);

		tap_check(fast == lines[i].fast && (!fast || readers_agree(lines[i].line, &fields)),
			  "%s is %s", lines[i].claim, lines[i].fast ? "read" : "left to others");
	}
	return tap_done();
}
