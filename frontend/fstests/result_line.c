#include "frontend/fstests/result_line.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MOST 40 /* bytes, more than any double needs */

struct line_reader {
	const char *at, *end;
};

static bool line_has_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool line_takes(struct line_reader *r, char c)
{
	while (r->at < r->end && *r->at == ' ')
		r->at++;
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* ESCAPED: whether it has escapes, which are left as they are. */
static bool line_string(struct line_reader *r, struct line_text *text, bool *escaped)
{
	*escaped = false;
	if (!line_takes(r, '"'))
		return false;
	text->start = r->at;
	for (; r->at < r->end && *r->at != '"'; r->at++) {
		if ((unsigned char)*r->at < ' ' || (unsigned char)*r->at >= 0x7f)
			return false;
		if (*r->at != '\\')
			continue;
		*escaped = true;
		/* The full reader knows which escapes are valid. */
		if (++r->at == r->end || !line_has_one_of(*r->at, "\"\\/bfnrt"))
			return false;
	}
	text->length = (size_t)(r->at - text->start);
	return line_takes(r, '"');
}

static bool line_number_value(struct line_reader *r, double *value)
{
	char text[NUMBER_MOST + 1], *rest;
	size_t length = 0;

	while (r->at < r->end && *r->at == ' ')
		r->at++;
	while (r->at < r->end && line_has_one_of(*r->at, "0123456789.eE+-") && length < NUMBER_MOST)
		text[length++] = *r->at++;
	text[length] = '\0';
	/* JSON has no ".5", "01" or "+1". */
	if (!line_has_one_of(*text, "0123456789") || (*text == '0' && length > 1 && text[1] != '.'))
		return false;
	*value = strtod(text, &rest);
	return length > 0 && *rest == '\0' && rest[-1] != '.';
}

static bool line_text_is(const struct line_text *text, const char *word)
{
	return text->length == strlen(word) && memcmp(text->start, word, text->length) == 0;
}

static bool line_member(struct line_reader *r, struct result_line *out)
{
	struct line_text key, value, *wanted = NULL;
	bool escaped, value_escaped;
	double number;

	if (!line_string(r, &key, &escaped) || escaped || !line_takes(r, ':'))
		return false;
	if (!line_takes(r, '"')) {
		if (!line_number_value(r, &number))
			return false;
		if (line_text_is(&key, "seconds"))
			out->seconds = number;
		return !line_text_is(&key, "name") && !line_text_is(&key, "status") &&
		       !line_text_is(&key, "section");
	}
	r->at--;
	if (line_text_is(&key, "section"))
		wanted = &out->section;
	else if (line_text_is(&key, "name"))
		wanted = &out->name;
	else if (line_text_is(&key, "status"))
		wanted = &out->status;
	if (!line_string(r, &value, &value_escaped) || (wanted && value_escaped) ||
	    line_text_is(&key, "seconds"))
		return false;
	if (wanted)
		*wanted = value;
	return true;
}

bool result_line_read(const char *line, size_t length, struct result_line *out)
{
	struct line_reader r = { line, line + length };

	*out = (struct result_line){ 0 };
	if (!line_takes(&r, '{'))
		return false;
	do {
		if (!line_member(&r, out))
			return false;
	} while (line_takes(&r, ','));
	return line_takes(&r, '}') && r.at == r.end;
}
