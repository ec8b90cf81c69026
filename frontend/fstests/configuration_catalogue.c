#include "frontend/fstests/configuration_catalogue.h"

#include <dirent.h>
#include <string.h>

#include "frontend/cli/paths.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "lib/error_wrap.h"

#define DIRECTORY "configurations"
#define SUFFIX ".conf"
#define FILE_MOST (256 * 1024)

/* In search order. */
static char *(*const dirs[])(const char *relative, struct error **err) = { paths_config,
									   paths_data };

#define DIR_COUNT (sizeof(dirs) / sizeof(dirs[0]))

/* --- filesystems ---------------------------------------------------------------------------- */

static int add_filesystem(char ***names, size_t *count, const char *file)
{
	size_t length = strlen(file);
	_cleanup_free_ char *name = NULL;

	if (length <= strlen(SUFFIX) || strcmp(file + length - strlen(SUFFIX), SUFFIX) != 0)
		return 0;
	name = strndup(file, length - strlen(SUFFIX));
	if (!name)
		return -1;
	return configuration_valid_name(name) ? words_add(names, count, name) : 0;
}

static int compare_filesystems(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int catalogue_filesystems(char ***names, struct error **err)
{
	size_t count = 0;

	*names = NULL;
	for (size_t i = 0; i < DIR_COUNT; i++) {
		_cleanup_free_ char *dir = dirs[i](DIRECTORY, err);
		const struct dirent *entry;
		DIR *entries;
		int r = 0;

		if (!dir)
			return -1;
		entries = opendir(dir);
		while (entries && r == 0 && (entry = readdir(entries)))
			r = add_filesystem(names, &count, entry->d_name);
		if (entries)
			closedir(entries);
		if (r < 0)
			return error_no_memory(err);
	}
	if (count)
		qsort(*names, count, sizeof(**names), compare_filesystems);
	return 0;
}

/* --- configurations ------------------------------------------------------------------------- */

static bool catalogue_has(const struct configurations *c, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(c->list[i].name, name) == 0)
			return true;
	return false;
}

/* Leaves out those after the first COUNT that one of these hides. */
static void drop_hidden(struct configurations *c, size_t count)
{
	size_t kept = count;

	for (size_t i = count; i < c->count; i++)
		if (catalogue_has(c, count, c->list[i].name))
			configuration_clear(&c->list[i]);
		else
			c->list[kept++] = c->list[i];
	c->count = kept;
}

int catalogue_read(const char *fs, struct configurations *out, struct error **err)
{
	_cleanup_free_ char *file = NULL;
	bool found = false;

	*out = (struct configurations){ 0 };
	if (asprintf(&file, DIRECTORY "/%s" SUFFIX, fs) < 0) {
		file = NULL;
		return error_no_memory(err);
	}
	for (size_t i = 0; i < DIR_COUNT; i++) {
		_cleanup_free_ char *path = dirs[i](file, err);
		_cleanup_free_ char *text = NULL;
		size_t before = out->count;

		if (!path)
			return -1;
		if (access(path, F_OK) < 0)
			continue;
		found = true;
		text = file_read(path, FILE_MOST, NULL, err);
		if (!text ||
		    configurations_parse(out, fs, path, text, dirs[i] == paths_config, err) < 0)
			return -1;
		drop_hidden(out, before);
	}
	return found ? 0 : error_set(err, ERR_MISSING, "no filesystem \"%s\"", fs);
}

/* --- choosing ------------------------------------------------------------------------------- */

/* The names of all configurations whose files are valid. */
static int catalogue_names(char ***names, size_t *count, struct error **err)
{
	char **filesystems = NULL;
	int r = catalogue_filesystems(&filesystems, err);

	for (size_t i = 0; r == 0 && filesystems && filesystems[i]; i++) {
		_cleanup_(configurations_clear) struct configurations c = { 0 };

		catalogue_read(filesystems[i], &c, NULL);
		for (size_t k = 0; r == 0 && k < c.count; k++) {
			char name[CONFIGURATION_SIZE];

			if (words_add(names, count, configuration_title(&c.list[k], name)) < 0)
				r = error_no_memory(err);
		}
	}
	words_free(filesystems);
	return r;
}

static int suggest_configuration(const char *word, struct error **err)
{
	_cleanup_(words_freep) char **names = NULL;
	const char *hint;
	size_t count = 0;

	if (catalogue_names(&names, &count, err) < 0)
		return -1;
	hint = suggest(word, (const char *const *)names, count);
	return error_set(err, ERR_INPUT,
			 "no configuration \"%.80s\"%s%s; see: rootlet configurations", word,
			 hint ? "; did you mean: " : "", hint ? hint : "");
}

/* Moves configuration I of FROM to OUT. */
static int take_chosen(struct configurations *out, struct configurations *from, size_t i,
		       struct error **err)
{
	char section[CONFIGURATION_SIZE], other[CONFIGURATION_SIZE];
	struct test_configuration *added;

	configuration_section(&from->list[i], section);
	for (size_t k = 0; k < out->count; k++)
		if (strcmp(configuration_section(&out->list[k], other), section) == 0)
			return error_set(err, ERR_INPUT, "%s/%s is named twice", from->list[i].fs,
					 from->list[i].name);
	added = array_grow(&out->list, out->count, sizeof(*added));
	if (!added)
		return error_no_memory(err);
	out->count++;
	*added = from->list[i];
	from->list[i] = (struct test_configuration){ 0 };
	return 0;
}

static int choose_one(const char *word, struct configurations *out, struct error **err)
{
	_cleanup_(configurations_clear) struct configurations all = { 0 };
	_cleanup_free_ char *fs = strndup(word, strcspn(word, "/"));
	_cleanup_error_ struct error *why = NULL;
	const char *name = strchr(word, '/');

	if (!fs)
		return error_no_memory(err);
	if (!configuration_valid_name(fs))
		return suggest_configuration(word, err);
	if (catalogue_read(fs, &all, &why) < 0) {
		if (why && why->code == ERR_MISSING)
			return suggest_configuration(word, err);
		*err = STEAL_PTR(why);
		return -1;
	}
	for (size_t i = 0; i < all.count; i++)
		if (!name || strcmp(all.list[i].name, name + 1) == 0)
			return take_chosen(out, &all, i, err);
	return suggest_configuration(word, err);
}

int catalogue_choose(const char *words, struct configurations *out, struct error **err)
{
	_cleanup_free_ char *copy = strdup(words);
	char *rest = NULL, *word = copy ? strtok_r(copy, ", ", &rest) : NULL;

	*out = (struct configurations){ 0 };
	if (!copy)
		return error_no_memory(err);
	if (!word)
		return error_set(err, ERR_INPUT, "give FS/NAME; see: rootlet configurations");
	for (; word; word = strtok_r(NULL, ", ", &rest))
		if (choose_one(word, out, err) < 0)
			return -1;
	return 0;
}
