#include "frontend/fstests/config.h"

#include <stdio.h>
#include <string.h>

/* Behind "FSTYP=" or "FSTYP =", with "export " before it or not; NULL: another line. */
static const char *find_value(const char *line)
{
	static const char name[] = "FSTYP", export[] = "export ";

	line += strspn(line, " \t");
	if (strncmp(line, export, strlen(export)) == 0)
		line += strlen(export) + strspn(line + strlen(export), " \t");
	if (strncmp(line, name, strlen(name)) != 0)
		return NULL;
	line += strlen(name);
	line += strspn(line, " \t");
	return *line == '=' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

char *config_types(const char *first, const char *text)
{
	char *types = NULL;
	size_t size;
	FILE *out = open_memstream(&types, &size);

	if (!out)
		return NULL;
	fputs(first, out);
	for (const char *line = text; line && *line;
	     line += strcspn(line, "\n"), line += *line != 0) {
		const char *value = find_value(line);

		if (value && (*value == '"' || *value == '\''))
			value++;
		if (value)
			fprintf(out, " %.*s", (int)strcspn(value, " \t\r\n\"'#;"), value);
	}
	return fclose(out) == 0 ? types : NULL;
}
