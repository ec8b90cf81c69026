#include "frontend/commands/option_table.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "lib/cleanup.h"

#define MORE "…"

static const struct option_row common_rows[] = {
	{ "--color", "WHEN", OPTION_COLOR, "auto, always or never", .fallback = "auto",
	  .once = true },
	{ "--help", NULL, OPTION_HELP, "show this help", .once = true },
};

const struct command command_without_rows = { .name = "" };

#define COMMON_ROWS (sizeof(common_rows) / sizeof(common_rows[0]))

const struct option_row *option_row_at(const struct command *command, size_t i)
{
	size_t own = 0;

	while (command->rows && command->rows[own].name)
		own++;
	if (i < own)
		return &command->rows[i];
	return i - own < COMMON_ROWS ? &common_rows[i - own] : NULL;
}

const struct option_row *option_row_named(const struct command *command, const char *name)
{
	const struct option_row *row;

	for (size_t i = 0; (row = option_row_at(command, i)); i++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

const struct option_row *option_row_coded(const struct command *command, int code)
{
	const struct option_row *row;

	for (size_t i = 0; (row = option_row_at(command, i)); i++)
		if (row->code == code)
			return row;
	return NULL;
}

bool option_row_is_verb(const struct option_row *row)
{
	return row->name[0] != '-';
}

bool option_row_is_for(const struct option_row *row, int verb)
{
	return !row->verb || row->verb == verb || (row->also && row->also == verb);
}

bool option_row_is_short(const struct option_row *row)
{
	return row->name[0] == '-' && row->name[1] != '-';
}

void operands_count(const char *form, int *least, int *most)
{
	bool optional = form && *form == '[';

	*least = 0;
	*most = form && strstr(form, MORE) ? INT_MAX : 0;
	for (const char *p = form; p && *p; p += strcspn(p, " "), p += *p == ' ') {
		*least += !optional;
		*most += *most < INT_MAX;
	}
}

bool command_runs_another(const struct command *command)
{
	return command->operands && text_has_prefix(command->operands, "[-- ");
}

bool option_has_choices(const struct option_row *row)
{
	return row->value && strchr(row->value, '|');
}

bool option_is_choice(const struct option_row *row, const char *word)
{
	size_t length = strlen(word), n;

	for (const char *p = row->value; *p; p += n + (p[n] == '|')) {
		n = strcspn(p, "|");
		if (n == length && strncmp(p, word, n) == 0)
			return true;
		if (*p == '0' && n == length + 1 && strncmp(p + 1, word, length) == 0)
			return true;
	}
	return false;
}

char *option_explain_choices(const struct option_row *row, const char *word)
{
	_cleanup_free_ char *copy = strdup(row->value);
	const char *words[OPTION_ROWS_MAX], *hint;
	char *rest = NULL, *text = NULL;
	size_t count = 0, size;
	FILE *out = copy ? open_memstream(&text, &size) : NULL;

	if (!out)
		return NULL;
	for (char *one = strtok_r(copy, "|", &rest); one && count < OPTION_ROWS_MAX;
	     one = strtok_r(NULL, "|", &rest))
		words[count++] = one;
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i == 0 ? "must be " : i + 1 < count ? ", " : " or ", words[i]);
	hint = suggest(word, words, count);
	if (hint)
		fprintf(out, "; did you mean: %s", hint);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

const char *option_gist(const struct option_row *row, char *out, size_t size)
{
	int length = (int)strcspn(row->text, "(;:");

	while (length > 0 && isspace((unsigned char)row->text[length - 1]))
		length--;
	snprintf(out, size, "%.*s", length, row->text);
	return out;
}
