#include "frontend/archive/program_list.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/archive/program_index.h"
#include "frontend/cli/text.h"
#include "proto/validate.h"

#define LINE_SIZE 4096	     /* a program is in a few packages; other files are in hundreds */
#define ENTRIES_MOST 1000000 /* trixie's main has 60,000 */

struct program_list {
	const char *const *components;
	char **entries; /* "PROGRAM\tPACKAGE" */
	size_t count;
	char line[LINE_SIZE];
	size_t length;
	bool skip; /* the line is too long */
};

struct program_list *program_list_new(const char *const *components)
{
	struct program_list *list = calloc(1, sizeof(*list));

	if (list)
		list->components = components;
	return list;
}

void program_list_free(struct program_list **list)
{
	if (!*list)
		return;
	for (size_t i = 0; i < (*list)->count; i++)
		free((*list)->entries[i]);
	free((*list)->entries);
	free(*list);
	*list = NULL;
}

/* "usr/bin/NAME" and the like; NULL for other paths. A package that merges /usr late has "bin". */
static const char *program_of_path(const char *path)
{
	static const char *const places[] = { "usr/bin/", "usr/sbin/", "bin/", "sbin/" };

	path += text_has_prefix(path, "./") ? 2 : 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (text_has_prefix(path, places[i]))
			return path + strlen(places[i]);
	return NULL;
}

/* WORD is "[[COMPONENT/]SECTION/]PACKAGE"; the component main is not named. Returns the package, or
 * NULL if it is of another component. */
static const char *package_of_word(const struct program_list *list, char *word)
{
	char *slash = strchr(word, '/'), *last = strrchr(word, '/');
	const char *component = "main";

	if (!slash)
		return word;
	if (slash != last) {
		*slash = '\0';
		component = word;
	}
	for (const char *const *one = list->components; one && *one; one++)
		if (strcmp(*one, component) == 0)
			return last + 1;
	return list->components ? NULL : last + 1;
}

static int add_entry(struct program_list *list, const char *program, const char *package,
		     struct error **err)
{
	char **larger;

	if (list->count >= ENTRIES_MOST)
		return error_set(err, ERR_TRUST,
				 "cannot use a Contents index: it lists more than %d programs",
				 ENTRIES_MOST);
	/* A full array has as many entries as a power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		larger = reallocarray(list->entries, list->count ? 2 * list->count : 1,
				      sizeof(*larger));
		if (!larger)
			return error_no_memory(err);
		list->entries = larger;
	}
	if (asprintf(&list->entries[list->count], "%s\t%s", program, package) < 0)
		return error_no_memory(err);
	list->count++;
	return 0;
}

/* Takes "PATH    WORD,WORD": a path may have blanks, the words have none. */
static int take_contents_line(struct program_list *list, struct error **err)
{
	char *line = list->line, *blank, *words, *rest = NULL;
	const char *program;

	line[list->length] = '\0';
	blank = strrchr(line, ' ');
	words = strrchr(line, '\t');
	words = words > blank ? words : blank;
	program = program_of_path(line);
	if (!words || !program || program >= words)
		return 0;
	for (char *end = words++; end >= program && strchr(" \t", *end); end--)
		*end = '\0';
	if (!program_name_is_valid(program))
		return 0;
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		const char *package = package_of_word(list, word);

		if (package && valid_package_name(package) &&
		    add_entry(list, program, package, err) < 0)
			return -1;
	}
	return 0;
}

int program_list_end(struct program_list *list, struct error **err)
{
	int r = list->skip || list->length == 0 ? 0 : take_contents_line(list, err);

	list->length = 0;
	list->skip = false;
	return r;
}

int program_list_take(const char *data, size_t size, void *context, struct error **err)
{
	struct program_list *list = context;
	const char *end = data + size;

	while (data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		size_t length = (size_t)((newline ? newline : end) - data);

		if (length < sizeof(list->line) - list->length) {
			memcpy(list->line + list->length, data, length);
			list->length += length;
		} else {
			list->skip = true;
		}
		if (newline && program_list_end(list, err) < 0)
			return -1;
		data += length + (newline != NULL);
	}
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *program_list_text(struct program_list *list, size_t *size, struct error **err)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out) {
		error_no_memory(err);
		return NULL;
	}
	if (list->count)
		qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
	for (size_t i = 0; i < list->count; i++)
		if (i == 0 || strcmp(list->entries[i], list->entries[i - 1]) != 0)
			fprintf(out, "%s\n", list->entries[i]);
	if (fclose(out) == 0 && text)
		return text;
	free(text);
	error_no_memory(err);
	return NULL;
}
