#include "frontend/archive/apt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/read_all.h"

#define APT_FILE_MAX (1024 * 1024)
#define BLANK " \t\r\n"

static int entry_add(struct apt_entries *entries, struct apt_entry add)
{
	struct apt_entry *list;

	list = reallocarray(entries->list, entries->count + 1, sizeof(*list));
	if (list)
		entries->list = list;
	if (!list || !add.uri || !add.suite || !add.components || !add.keyring) {
		free(add.uri);
		free(add.suite);
		free(add.components);
		free(add.keyring);
		return -1;
	}
	list[entries->count++] = add;
	return 0;
}

/* Adds every pair of one of URIS and one of SUITES. Both are lists separated by blanks; URIS is
 * modified. */
static int entries_cross(struct apt_entries *entries, char *uris, const char *suites,
			 const char *components, const char *keyring)
{
	char *uri, *suite, *uris_left, *suites_left;

	for (uri = strtok_r(uris, BLANK, &uris_left); uri;
	     uri = strtok_r(NULL, BLANK, &uris_left)) {
		_cleanup_free_ char *copy = strdup(suites);

		if (!copy)
			return -1;
		for (suite = strtok_r(copy, BLANK, &suites_left); suite;
		     suite = strtok_r(NULL, BLANK, &suites_left))
			if (entry_add(entries, (struct apt_entry){ .uri = strdup(uri),
								   .suite = strdup(suite),
								   .components = strdup(components),
								   .keyring = strdup(keyring) }) <
			    0)
				return -1;
	}
	return 0;
}

enum apt_field {
	FIELD_TYPES,
	FIELD_URIS,
	FIELD_SUITES,
	FIELD_COMPONENTS,
	FIELD_KEYRING,
	FIELD_ENABLED
};

static const char *const field_names[] = {
	[FIELD_TYPES] = "Types",       [FIELD_URIS] = "URIs",
	[FIELD_SUITES] = "Suites",     [FIELD_COMPONENTS] = "Components",
	[FIELD_KEYRING] = "Signed-By", [FIELD_ENABLED] = "Enabled",
};
#define FIELD_COUNT (sizeof(field_names) / sizeof(field_names[0]))

static bool apt_list_has(const char *list, const char *word)
{
	size_t length = strlen(word), span;

	for (list += strspn(list, BLANK); *list; list += span + strspn(list + span, BLANK)) {
		span = strcspn(list, BLANK);
		if (span == length && memcmp(list, word, length) == 0)
			return true;
	}
	return false;
}

/* Ends a paragraph: adds the entries that it describes and clears FIELDS. */
static int paragraph_end(struct apt_entries *entries, char *fields[static FIELD_COUNT])
{
	const char *enabled = fields[FIELD_ENABLED];
	int result = 0;
	size_t i;

	if (enabled)
		enabled += strspn(enabled, BLANK);
	if (fields[FIELD_TYPES] && apt_list_has(fields[FIELD_TYPES], "deb") && fields[FIELD_URIS] &&
	    fields[FIELD_SUITES] && !(enabled && strncasecmp(enabled, "no", 2) == 0))
		result = entries_cross(entries, fields[FIELD_URIS], fields[FIELD_SUITES],
				       fields[FIELD_COMPONENTS] ? fields[FIELD_COMPONENTS] : "",
				       fields[FIELD_KEYRING] ? fields[FIELD_KEYRING] : "");
	for (i = 0; i < FIELD_COUNT; i++) {
		free(fields[i]);
		fields[i] = NULL;
	}
	return result;
}

/* Stores "Name: value", or appends a continuation line to the field LAST. Returns the field that a
 * following continuation line belongs to, or -1 if it is not one of FIELDS. */
static int field_line(char *fields[static FIELD_COUNT], const char *line, int last)
{
	char *joined = NULL;
	size_t i, length;

	if (line[0] == ' ' || line[0] == '\t') {
		if (last >= 0 && asprintf(&joined, "%s %s", fields[last], line) >= 0) {
			free(fields[last]);
			fields[last] = joined;
		}
		return last;
	}
	for (i = 0; i < FIELD_COUNT; i++) {
		length = strlen(field_names[i]);
		if (strncasecmp(line, field_names[i], length) != 0 || line[length] != ':')
			continue;
		free(fields[i]);
		fields[i] = strdup(line + length + 1);
		return fields[i] ? (int)i : -1;
	}
	return -1;
}

int apt_parse_deb822(const char *text, struct apt_entries *entries)
{
	_cleanup_free_ char *copy = strdup(text);
	char *fields[FIELD_COUNT] = { NULL };
	char *line, *left = copy;
	int last = -1, result = 0;

	if (!copy)
		return -1;
	while ((line = strsep(&left, "\n"))) {
		if (line[0] == '#')
			continue;
		if (line[strspn(line, BLANK)] != '\0') {
			last = field_line(fields, line, last);
			continue;
		}
		result |= paragraph_end(entries, fields);
		last = -1;
	}
	result |= paragraph_end(entries, fields);
	return result ? -1 : 0;
}

/* deb [ signed-by=/path arch=amd64 ] URI SUITE COMPONENT... */
static int list_line(struct apt_entries *entries, char *line)
{
	char keyring[256] = "", *found, *uri, *suite;

	line += strspn(line, BLANK);
	line[strcspn(line, "#")] = '\0';
	if (strncmp(line, "deb", 3) != 0 || !strchr(" \t", line[3]) || line[3] == '\0')
		return 0;
	line += 3 + strspn(line + 3, BLANK);
	if (*line == '[') {
		char *end = strchr(line, ']');

		if (!end)
			return 0;
		*end = '\0';
		if ((found = strstr(line, "signed-by=")))
			snprintf(keyring, sizeof(keyring), "%.*s", (int)strcspn(found + 10, BLANK),
				 found + 10);
		line = end + 1 + strspn(end + 1, BLANK);
	}
	uri = strsep(&line, BLANK);
	if (!line)
		return 0;
	line += strspn(line, BLANK);
	suite = strsep(&line, BLANK);
	return entries_cross(entries, uri, suite, line ? line : "", keyring);
}

int apt_parse_list(const char *text, struct apt_entries *entries)
{
	_cleanup_free_ char *copy = strdup(text);
	char *line, *left = copy;

	if (!copy)
		return -1;
	while ((line = strsep(&left, "\n")))
		if (list_line(entries, line) < 0)
			return -1;
	return 0;
}

/* Returns the contents of a small file, or NULL. */
static char *file_text(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > APT_FILE_MAX)
		return NULL;
	return read_all(fd, (size_t)st.st_size, &size);
}

static int read_one(const char *dir, const char *name, struct apt_entries *entries)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t length = strlen(name);

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return -1;
	}
	if (!(text = file_text(path)))
		return 0;
	if (length > 8 && strcmp(name + length - 8, ".sources") == 0)
		return apt_parse_deb822(text, entries);
	if (length > 5 && strcmp(name + length - 5, ".list") == 0)
		return apt_parse_list(text, entries);
	return 0;
}

int apt_read(const char *dir, struct apt_entries *entries)
{
	_cleanup_free_ char *parts = NULL;
	struct dirent **names = NULL;
	int i, count, result;

	result = read_one(dir, "sources.list", entries);
	if (asprintf(&parts, "%s/sources.list.d", dir) < 0) {
		parts = NULL;
		return -1;
	}
	count = scandir(parts, &names, NULL, alphasort);
	for (i = 0; i < count; i++) {
		result |= read_one(parts, names[i]->d_name, entries);
		free(names[i]);
	}
	free(names);
	return result ? -1 : 0;
}

void apt_entries_clear(struct apt_entries *entries)
{
	size_t i;

	for (i = 0; i < entries->count; i++) {
		free(entries->list[i].uri);
		free(entries->list[i].suite);
		free(entries->list[i].components);
		free(entries->list[i].keyring);
	}
	free(entries->list);
	*entries = (struct apt_entries){ 0 };
}
