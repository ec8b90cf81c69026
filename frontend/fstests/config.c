#include "frontend/fstests/config.h"
#include "frontend/cli/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the text after "FSTYP=" or "FSTYP =", with or without "export " before it, or NULL. */
static const char *find_value(const char *line)
{
	static const char name[] = "FSTYP", export[] = "export ";

	line += strspn(line, " \t");
	if (text_has_prefix(line, export))
		line += strlen(export) + strspn(line + strlen(export), " \t");
	if (!text_has_prefix(line, name))
		return NULL;
	line += strlen(name);
	line += strspn(line, " \t");
	return *line == '=' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

/* Returns the type that LINE sets, LENGTH bytes long, or NULL. */
static const char *line_type(const char *line, size_t *length)
{
	const char *value = find_value(line);

	if (value && (*value == '"' || *value == '\''))
		value++;
	*length = value ? strcspn(value, " \t\r\n\"'#;") : 0;
	return value;
}

/* Returns the next type in TEXT, LENGTH bytes long, and moves TEXT past it; NULL if there are no
 * more. Adds the section headers on the way to SECTIONS. */
static const char *next_type(const char **text, size_t *length, unsigned int *sections)
{
	const char *value = NULL;

	for (const char *line = *text; line && *line && !value; *text = line) {
		value = line_type(line, length);
		*sections += *line == '[';
		line += strcspn(line, "\n");
		line += *line != '\0';
	}
	return value;
}

char *config_types(const char *first, const char *text)
{
	unsigned int sections = 0;
	char *types = NULL;
	const char *type;
	size_t size, length;
	FILE *out = open_memstream(&types, &size);

	if (!out)
		return NULL;
	fputs(first, out);
	while ((type = next_type(&text, &length, &sections)))
		fprintf(out, " %.*s", (int)length, type);
	return fclose(out) == 0 ? types : NULL;
}

static bool config_is_listed(const char *list, const char *type, size_t length)
{
	for (; *list; list += strcspn(list, ","), list += *list != '\0')
		if (strcspn(list, ",") == length && strncmp(list, type, length) == 0)
			return true;
	return false;
}

static bool config_is_plain(const char *type, size_t length)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

	return length && strspn(type, plain) >= length;
}

char *config_tested(const char *first, const char *text)
{
	unsigned int sections = 0;
	const char *type;
	size_t length = 0;
	char *list = NULL;

	while ((type = next_type(&text, &length, &sections))) {
		char *longer;

		/* If the first section sets no type, the command line's applies. */
		if (!list && sections > 1 && !(list = strdup(first)))
			return NULL;
		/* Without sections the configuration is a script, and this may be an expression. */
		if (!config_is_plain(type, length) ||
		    (list && config_is_listed(list, type, length)))
			continue;
		if (asprintf(&longer, "%s%s%.*s", list ? list : "", list ? "," : "", (int)length,
			     type) < 0)
			longer = NULL;
		free(list);
		list = longer;
		if (!list)
			return NULL;
	}
	return list ? list : strdup(first);
}

/* Whether LINE is "[SECTION]". */
static bool begins_section(const char *line, const char *section)
{
	size_t length = strlen(section);

	return *line == '[' && strncmp(line + 1, section, length) == 0 && line[1 + length] == ']';
}

char *config_section_type(const char *first, const char *text, const char *section)
{
	const char *type = first;
	size_t length = strlen(first);
	bool inside = !*section;

	for (const char *line = text; line && *line; line += *line != '\0') {
		const char *found;
		size_t found_length;

		if (*line == '[' && inside)
			break;
		inside = begins_section(line, section) || inside;
		found = line_type(line, &found_length);
		if (found) {
			type = found;
			length = found_length;
		}
		line += strcspn(line, "\n");
	}
	return strndup(type, config_is_plain(type, length) ? length : 0);
}
