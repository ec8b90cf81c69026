/* Package lists for tests, in short. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

/* Stanzas are abbreviated to "name version;Field: value;…", one per line; the other required fields
 * are added. */
static inline bool index_write(const char *path, const char *lines)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	_cleanup_free_ char *copy = strdup(lines);
	char *line, *field, *rest = copy, *fields, name[128], version[128];
	unsigned number = 0;

	if (!file || !copy)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		fields = line;
		field = strsep(&fields, ";");
		if (sscanf(field, "%127s %127s", name, version) != 2)
			continue;
		fprintf(file, "Package: %s\nVersion: %s\n", name, version);
		while ((field = strsep(&fields, ";"))) {
			field += strspn(field, " ");
			fprintf(file, "%s\n", field);
		}
		/* Tests about a field provide it themselves. */
		if (!strstr(lines, "Architecture:"))
			fprintf(file, "Architecture: amd64\n");
		if (!strstr(lines, "Filename:"))
			fprintf(file, "Filename: pool/%s_%s.deb\n", name, version);
		if (!strstr(lines, "Size:"))
			fprintf(file, "Size: %u\n", ++number);
		if (!strstr(lines, "SHA256:"))
			fprintf(file, "SHA256: %064x\n", number);
		fprintf(file, "\n");
	}
	return true;
}

/* A status file of dpkg, in the same way. Packages are installed unless they have a Status field.
 */
static inline bool status_write(const char *path, const char *lines)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	_cleanup_free_ char *copy = strdup(lines);
	char *line, *field, *rest = copy, *fields, name[128], version[128];

	if (!file || !copy)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		bool installed = !strstr(line, "Status:");

		fields = line;
		field = strsep(&fields, ";");
		if (sscanf(field, "%127s %127s", name, version) != 2)
			continue;
		fprintf(file, "Package: %s\nVersion: %s\nArchitecture: amd64\n", name, version);
		while ((field = strsep(&fields, ";")))
			fprintf(file, "%s\n", field + strspn(field, " "));
		fputs(installed ? "Status: install ok installed\n\n" : "\n", file);
	}
	return true;
}
