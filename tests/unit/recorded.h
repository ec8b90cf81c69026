/* Recorded files, each with its expected findings. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static inline char *recorded_read(const char *path, size_t *size)
{
	FILE *in = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	*size = in && text ? fread(text, 1, (1 << 20) - 1, in) : 0;
	if (in)
		fclose(in);
	return in ? text : (free(text), NULL);
}

static inline void tap_note(const char *text)
{
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");

		printf("# %.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

/* Calls TRY for every file NAME+SUFFIX in tests/recorded/DIR that has a NAME.expected. */
static inline void recorded_each(const char *dir, const char *suffix,
				 void (*try)(const char *name, const char *text, size_t size,
					     const char *expected))
{
	char path[4096];
	unsigned count = 0;
	DIR *directory;
	struct dirent *entry;

	snprintf(path, sizeof(path), RECORDED "/%s", dir);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		size_t length = strlen(entry->d_name), ending = strlen(suffix), size, ignored;
		char *text, *expected;

		if (length <= ending || strcmp(entry->d_name + length - ending, suffix) != 0)
			continue;
		snprintf(path, sizeof(path), RECORDED "/%s/%s", dir, entry->d_name);
		text = recorded_read(path, &size);
		snprintf(path, sizeof(path), RECORDED "/%s/%.*s.expected", dir,
			 (int)(length - ending), entry->d_name);
		expected = recorded_read(path, &ignored);
		tap_check(text && expected, "%s can be read", entry->d_name);
		if (text && expected)
			try(entry->d_name, text, size, expected);
		free(text);
		free(expected);
		count++;
	}
	if (directory)
		closedir(directory);
	tap_check(count > 0, "%s has recordings", dir);
}
