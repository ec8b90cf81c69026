#include "frontend/fstests/check_output.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "lib/clock.h"

#define LINE_SIZE 4096
#define DETAIL_SIZE 4096
#define NAME_SIZE 128

struct check_output {
	struct check_events events;
	char section[NAME_SIZE];
	char line[LINE_SIZE]; /* the current line, truncated if too long */
	size_t length;
	bool seen; /* the test named at the start of LINE was reported as started */

	/* the test whose result has not been reported yet */
	char name[NAME_SIZE]; /* "" : none */
	bool judged;	      /* its first line is complete */
	enum test_status status;
	double began, seconds;
	char reason[512], detail[DETAIL_SIZE];
};

struct check_output *check_output_new(const struct check_events *events)
{
	struct check_output *c = calloc(1, sizeof(*c));

	if (c)
		c->events = *events;
	return c;
}

void check_output_free(struct check_output **c)
{
	free(*c);
	*c = NULL;
}

size_t test_name_length(const char *text)
{
	size_t dir = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-"), digits, rest;

	if (dir == 0 || text[dir] != '/')
		return 0;
	digits = strspn(text + dir + 1, "0123456789");
	if (digits < 3)
		return 0;
	for (rest = dir + 1 + digits; isalnum((unsigned char)text[rest]) || text[rest] == '-';)
		rest++;
	return rest < NAME_SIZE ? rest : 0;
}

static void check_output_report(struct check_output *c)
{
	struct test_result result = {
		.section = c->section,
		.name = c->name,
		.status = c->status,
		.seconds = c->seconds,
		.reason = *c->reason ? c->reason : NULL,
		.detail = *c->detail ? c->detail : NULL,
	};

	if (*c->name && c->judged && c->events.ended)
		c->events.ended(&result, c->events.context);
	*c->name = '\0';
	c->judged = false;
}

static void check_output_start(struct check_output *c, size_t length)
{
	check_output_report(c);
	memcpy(c->name, c->line, length);
	c->name[length] = '\0';
	c->began = clock_precise();
	*c->reason = *c->detail = '\0';
	c->seen = true;
	if (c->events.started)
		c->events.started(c->section, c->name, c->events.context);
}

/* Keeps only a bracketed reason: "[failed, exit status 1]- output mismatch (see …)". */
static void set_reason(struct check_output *c, const char *text)
{
	const char *end;

	if (*c->reason)
		return;
	while (isspace((unsigned char)*text))
		text++;
	end = *text == '[' ? strchr(text, ']') : NULL;
	snprintf(c->reason, sizeof(c->reason), "%.*s",
		 end ? (int)(end - text + 1) : (int)strlen(text), text);
	text_clean(c->reason);
}

/* "4s ... 5s" or " 5s": the last number is the duration. */
static bool parse_seconds(const char *text, double *seconds)
{
	const char *end = text + strlen(text), *p;

	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	if (end == text || *--end != 's')
		return false;
	for (p = end; p > text && isdigit((unsigned char)p[-1]);)
		p--;
	if (p == end || (p > text && !isspace((unsigned char)p[-1])) || strstr(p, "..."))
		return false;
	*seconds = strtod(p, NULL);
	return true;
}

/* "[15:04:05] [15:04:09]": check -T prints start and end times instead of a duration. */
static bool has_two_times(const char *text)
{
	int times = 0;

	for (const char *p = text; (p = strchr(p, '[')); p++)
		if (isdigit((unsigned char)p[1]) && isdigit((unsigned char)p[2]) && p[3] == ':')
			times++;
	return times == 2;
}

/* Judges a test by the rest of the line that its name began. */
static void check_output_judge(struct check_output *c, const char *rest)
{
	const char *mark;

	c->judged = true;
	c->seconds = clock_precise() - c->began;
	if ((mark = strstr(rest, "[not run]"))) {
		c->status = TEST_NOTRUN;
		set_reason(c, mark + strlen("[not run]"));
	} else if (strstr(rest, "[expunged]")) {
		c->status = TEST_EXPUNGED;
	} else if (strstr(rest, "- no such test?")) {
		c->status = TEST_NOTRUN;
		set_reason(c, "no such test");
	} else if ((mark = strstr(rest, "[failed, exit status")) ||
		   (mark = strstr(rest, "[dumped core]")) ||
		   (mark = strstr(rest, "- output mismatch")) ||
		   (mark = strstr(rest, "no qualified output")) ||
		   (mark = strstr(rest, "_check_"))) {
		c->status = TEST_FAIL;
		set_reason(c, *mark == '-' ? "output mismatch" : mark);
	} else if (parse_seconds(rest, &c->seconds) || has_two_times(rest)) {
		c->status = TEST_PASS;
	} else {
		c->status = TEST_FAIL;
	}
}

static bool ends_test(const char *line)
{
	static const char *const starts[] = { "Ran: ",	   "Not run: ",	  "Failures: ",
					      "Failed ",   "Passed all ", "Interrupted!",
					      "SECTION  ", "FSTYP  ",	  "RECREATING  " };

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (text_has_prefix(line, starts[i]))
			return true;
	return false;
}

/* Handles lines that are not about a running test: "generic/9999 - unknown test, ignored",
 * "Arguments before tests, please!", "check: failed to mkfs $TEST_DEV using specified options",
 * "common/rc: could not mount …". */
static bool take_complaint(struct check_output *c, size_t name)
{
	static const char *const starts[] = { "Arguments before tests, please!",
					      "Usage: ", "Group \"", "check: ", "common/" };
	static const char unknown[] = " - unknown test, ignored";
	const char *mark = strstr(c->line, unknown);

	if (mark && strcmp(mark, unknown) == 0) {
		char test[NAME_SIZE];

		snprintf(test, sizeof(test), "%.*s", (int)(mark - c->line), c->line);
		if (c->events.complained)
			c->events.complained(c->line, test, c->events.context);
		return true;
	}
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		if (name || !text_has_prefix(c->line, starts[i]))
			continue;
		check_output_report(c);
		if (c->events.complained)
			c->events.complained(c->line, NULL, c->events.context);
		return true;
	}
	return false;
}

/* Handles the lines after a test's first one, such as the diff of a failure. */
static void take_more(struct check_output *c, const char *line)
{
	size_t used = strlen(c->detail);
	const char *message = line + strspn(line, " \t");

	if (c->status == TEST_PASS && strncmp(message, "_check_", 7) != 0)
		return;
	if (c->status == TEST_NOTRUN || c->status == TEST_EXPUNGED || !*message)
		return;
	c->status = TEST_FAIL;
	if (strncmp(message, "_check_", 7) == 0 || strstr(message, "is inconsistent"))
		set_reason(c, message);
	else if (strncmp(message, "- output mismatch", 17) == 0)
		set_reason(c, "output mismatch");
	snprintf(c->detail + used, sizeof(c->detail) - used, "%s%s", used ? "\n" : "", line);
}

static void check_output_take_line(struct check_output *c)
{
	static const char section[] = "SECTION       -- ";
	size_t length = test_name_length(c->line);

	if (take_complaint(c, length))
		return;
	if (ends_test(c->line))
		check_output_report(c);
	if (text_has_prefix(c->line, section)) {
		snprintf(c->section, sizeof(c->section), "%s", c->line + strlen(section));
		text_clean(c->section);
		if (c->events.section)
			c->events.section(c->section, c->events.context);
		return;
	}
	if (length && (c->line[length] == ' ' || c->line[length] == '\t' || !c->line[length])) {
		if (!c->seen)
			check_output_start(c, length);
		check_output_judge(c, c->line + length);
		return;
	}
	if (*c->name && c->judged)
		take_more(c, c->line);
}

/* check prints the padded name before the test begins and the rest of the line after it ends. A
 * dash after the name begins a message about a test that does not run. */
static void look_ahead(struct check_output *c)
{
	size_t length;

	if (c->seen)
		return;
	c->line[c->length] = '\0';
	length = test_name_length(c->line);
	if (length && c->line[length] == ' ' && c->line[length + 1] && c->line[length + 1] != '-')
		check_output_start(c, length);
}

void check_output_feed(struct check_output *c, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			c->line[c->length] = '\0';
			check_output_take_line(c);
			c->length = 0;
			c->seen = false;
		} else if (data[i] != '\r' && c->length < LINE_SIZE - 1) {
			c->line[c->length++] = data[i] ? data[i] : ' ';
		}
	}
	look_ahead(c);
}

const char *check_output_end(struct check_output *c)
{
	if (c->judged)
		check_output_report(c);
	return *c->name ? c->name : NULL;
}
