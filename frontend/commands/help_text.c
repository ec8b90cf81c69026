#include "frontend/commands/help_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

#define WIDTH 80
#define LABEL_WIDTH 18	/* a longer one has a line of its own */
#define OPTIONS_NAMED 6 /* with more, the usage line says [OPTION…] */

/* The width in columns of BYTES bytes of UTF-8. None of our characters is wide. */
static unsigned width_of(const char *text, size_t bytes)
{
	unsigned width = 0;

	for (size_t i = 0; i < bytes; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* Where the next word of TEXT ends. Brackets keep "[--keep N]" together. */
static size_t word_length(const char *text)
{
	size_t n = 0;
	int depth = 0;

	for (; text[n] && text[n] != '\n' && (depth > 0 || text[n] != ' '); n++)
		depth += (text[n] == '[') - (text[n] == ']');
	return n;
}

/* Writes TEXT from COLUMN on, in lines that begin at INDENT. A newline in TEXT ends a line. */
static void fill(FILE *out, const char *text, unsigned column, unsigned indent)
{
	bool first = true;

	while (*text) {
		size_t length = word_length(text);
		unsigned width = width_of(text, length);

		if (!first && column + 1 + width > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			column += (unsigned)(fputc(' ', out) == ' ');
		}
		fwrite(text, 1, length, out);
		column += width;
		first = false;
		text += length + (text[length] == ' ');
		if (*text == '\n') {
			fputc('\n', out);
			column = indent;
			first = true;
			text++;
		}
	}
	fputc('\n', out);
}

/* --- usage --- */

static void write_option(FILE *out, const struct option_row *row)
{
	fprintf(out, "%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
}

static bool is_option_of(const struct option_row *row, const struct option_row *verb)
{
	return !option_row_is_verb(row) && row->text && row->code != OPTION_COLOR &&
	       row->code != OPTION_HELP &&
	       (!row->verb || (verb && option_row_is_for(row, verb->code)));
}

static void write_optional(FILE *out, const struct command *c, const struct option_row *verb)
{
	const struct option_row *row;
	size_t count = 0;

	for (size_t i = 0; (row = option_row_at(c, i)); i++)
		count += is_option_of(row, verb) && !row->required;
	if (count > OPTIONS_NAMED) {
		fputs(" [OPTION…]", out);
		return;
	}
	for (size_t i = 0; (row = option_row_at(c, i)); i++) {
		if (!is_option_of(row, verb) || row->required)
			continue;
		fputs(" [", out);
		write_option(out, row);
		if (row->or_next) {
			fputs(" | ", out);
			write_option(out, option_row_at(c, ++i));
		}
		fputc(']', out);
	}
}

/* One line of the usage: that of VERB, which may be NULL. */
static void write_usage_line(FILE *out, const struct command *c, const struct option_row *verb)
{
	const char *operands = verb ? verb->value : c->operands;
	const struct option_row *row;

	fprintf(out, "rootlet %s", c->name);
	if (verb)
		fprintf(out, verb->preset ? " [%s]" : " %s", verb->name);
	if (operands && verb)
		fprintf(out, " %s", operands);
	for (size_t i = 0; (row = option_row_at(c, i)); i++) {
		if (!is_option_of(row, verb) || !row->required)
			continue;
		fputc(' ', out);
		write_option(out, row);
	}
	write_optional(out, c, verb);
	if (operands && !verb)
		fprintf(out, " %s", operands);
}

static void write_usage(FILE *out, const struct command *c, const struct option_row *verb,
			bool first)
{
	static const char usage[] = "usage: ";
	unsigned indent = (unsigned)strlen(usage);
	_cleanup_free_ char *line = NULL;
	size_t size;
	FILE *memory = open_memstream(&line, &size);

	if (!memory)
		return;
	write_usage_line(memory, c, verb);
	fclose(memory);
	fprintf(out, "%*s", (int)indent, first ? usage : "");
	fill(out, line ? line : "", indent,
	     indent + (unsigned)strlen("rootlet ") + (unsigned)strlen(c->name) + 1);
}

static void write_usages(FILE *out, const struct command *c)
{
	const struct option_row *row;
	bool first = true;

	for (size_t i = 0; (row = option_row_at(c, i)); i++) {
		if (!option_row_is_verb(row))
			continue;
		write_usage(out, c, row, first);
		first = false;
	}
	if (first)
		write_usage(out, c, NULL, true);
}

/* --- rows --- */

static bool is_word_at(const char *text, const char *at, size_t length)
{
	return (at == text || !isalnum((unsigned char)at[-1])) &&
	       !isalnum((unsigned char)at[length]);
}

/* Writes the row's text with its default, behind the word for it ("auto (default)") or else at the
 * end of the first clause ("(default: 2G)"). */
static void write_row_text(FILE *out, const struct option_row *row)
{
	const char *value = row->fallback, *at = value ? strstr(row->text, value) : NULL;
	size_t length = value ? strlen(value) : 0, clause = strcspn(row->text, ";:");

	while (at && !is_word_at(row->text, at, length))
		at = strstr(at + 1, value);
	if (at)
		fprintf(out, "%.*s (default)%s", (int)(at + length - row->text), row->text,
			at + length);
	else if (value)
		fprintf(out, "%.*s (default: %s)%s", (int)clause, row->text, value,
			row->text + clause);
	else
		fputs(row->text, out);
	if (row->preset)
		fputs(" (default)", out);
}

static char *compose_text(const struct option_row *row)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	write_row_text(out, row);
	fclose(out);
	return text;
}

static unsigned label_width(const struct option_row *row)
{
	return width_of(row->name, strlen(row->name)) +
	       (row->value ? 1 + width_of(row->value, strlen(row->value)) : 0);
}

static void write_row(FILE *out, const struct option_row *row, unsigned labels)
{
	_cleanup_free_ char *text = compose_text(row);
	unsigned width = label_width(row), indent = 2 + labels + 2;

	fputs("  ", out);
	write_option(out, row);
	if (width > labels)
		fprintf(out, "\n%*s", (int)indent, "");
	else
		fprintf(out, "%*s", (int)(labels - width + 2), "");
	fill(out, text ? text : "", indent, indent);
}

static void write_rows(FILE *out, const struct command *c)
{
	const struct option_row *row, *before = NULL;
	unsigned labels = 0;

	for (size_t i = 0; (row = option_row_at(c, i)); i++)
		if (row->text && label_width(row) > labels && label_width(row) <= LABEL_WIDTH)
			labels = label_width(row);
	for (size_t i = 0; (row = option_row_at(c, i)); i++) {
		if (!row->text)
			continue;
		/* The options are a group apart from the verbs. */
		if (row->apart || (before && option_row_is_verb(before) != option_row_is_verb(row)))
			fputc('\n', out);
		write_row(out, row, labels);
		before = row;
	}
}

char *help_compose(const struct command *command)
{
	static const char status[] = "Exit status: ";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	write_usages(out, command);
	fputc('\n', out);
	fill(out, command->about, 0, 0);
	fputc('\n', out);
	write_rows(out, command);
	fprintf(out, "\n%s", status);
	fill(out, command->statuses, (unsigned)strlen(status), 0);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

char *help_compose_all(const char *head, const struct command *const *commands, size_t count,
		       const char *tail)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(head, out);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nOptions of every command:\n", out);
	write_rows(out, &command_without_rows);
	fputs(tail, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
