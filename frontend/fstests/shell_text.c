#include "frontend/fstests/shell_text.h"

#include <stdio.h>
#include <string.h>

#include "lib/names.h"

#define SUBSTITUTIONS_MAX 8 /* inside each other */

/* Whether the rest of the line from "#" is a comment: not in "$#" or "${name#prefix}". */
static bool begins_comment(const char *start, const char *at)
{
	return *at == '#' && (at == start || at[-1] == ' ' || at[-1] == '\t' || at[-1] == ';');
}

/* Appends a line of the file up to its end or comment. Returns whether the next one continues it.
 */
static bool take_shell_line(struct shell_lines *lines, size_t *length)
{
	const char *start = lines->rest, *at = start;
	size_t end = strcspn(start, "\n");
	bool joined = end && start[end - 1] == '\\';

	lines->rest += end + (start[end] == '\n');
	for (; at < start + end - joined && !begins_comment(start, at); at++)
		if (*length + 1 < sizeof(lines->line))
			lines->line[(*length)++] = *at;
	return joined && at == start + end - 1;
}

static void trim_shell_line(char *line, size_t length)
{
	size_t blanks = strspn(line, " \t");

	while (length > blanks && strchr(" \t\r", line[length - 1]))
		length--;
	memmove(line, line + blanks, length - blanks);
	line[length - blanks] = '\0';
}

bool shell_next_line(struct shell_lines *lines)
{
	while (*lines->rest) {
		size_t length = 0;

		lines->at_margin = *lines->rest != ' ' && *lines->rest != '\t';
		while (take_shell_line(lines, &length) && *lines->rest)
			;
		lines->line[length] = '\0';
		trim_shell_line(lines->line, length);
		if (*lines->line)
			return true;
	}
	return false;
}

size_t shell_name_length(const char *text)
{
	return strspn(text, NAME_DIGITS) ? 0 : strspn(text, NAME_ALL "_");
}

size_t shell_function_name(const char *line, const char **name)
{
	static const char word[] = "function ";
	const char *rest;
	size_t length;
	bool named = strncmp(line, word, strlen(word)) == 0;

	*name = named ? line + strlen(word) : line;
	*name += strspn(*name, " \t");
	length = shell_name_length(*name);
	rest = *name + length + strspn(*name + length, " \t");
	return named || (rest[0] == '(' && rest[1] == ')') ? length : 0;
}

bool shell_next_word(const char **at, char word[static SHELL_WORD_SIZE])
{
	const char *p = *at + strspn(*at, " \t");
	unsigned int depth = 0;
	size_t length = 0;

	for (char quote = '\0'; *p; p++) {
		if (!quote && !depth && strchr(" \t\n;|&<>)", *p))
			break;
		if (!depth && (*p == '"' || *p == '\'') && (!quote || *p == quote)) {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (p[0] == '$' && p[1] == '(' && ++depth > SUBSTITUTIONS_MAX)
			return false;
		if (*p == ')' && depth)
			depth--;
		if (length + 1 >= SHELL_WORD_SIZE)
			return false;
		word[length++] = *p;
	}
	word[length] = '\0';
	*at = p;
	return length > 0;
}

bool shell_find_assignment(const char *text, const char *variable,
			   char value[static SHELL_WORD_SIZE])
{
	char assigned[SHELL_WORD_SIZE + 1];
	size_t length = (size_t)snprintf(assigned, sizeof(assigned), "%s=", variable);

	for (const char *p = text; (p = strstr(p, assigned)); p += length) {
		const char *at = p + length;

		if (p != text && !strchr(" \t\n;", p[-1]))
			continue;
		return *at != '\n' && shell_next_word(&at, value);
	}
	return false;
}
