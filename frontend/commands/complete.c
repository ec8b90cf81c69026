#include "frontend/commands/complete.h"

#include <dirent.h>
#include <string.h>

#include "frontend/archive/source.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/configuration_catalogue.h"
#include "frontend/fstests/run_directory.h"
#include "frontend/rootfs/profile_places.h"
#include "frontend/rootfs/store.h"

static void offer(const char *word, const char *text)
{
	if (text && *text)
		printf("%s\t%s\n", word, text);
	else
		puts(word);
}

/* Offers the directories in PATH that are not hidden. */
static void offer_dirs(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
			offer(entry->d_name, NULL);
	if (dir)
		closedir(dir);
}

static void offer_rootfs(void)
{
	_cleanup_free_ char *dir = store_dir(NULL);

	if (dir)
		offer_dirs(dir);
}

static void offer_runs(void)
{
	_cleanup_(words_freep) char **ids = NULL;
	size_t count;

	offer("last", "the newest run");
	if (run_dir_list(&ids, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		offer(ids[i], NULL);
}

static void offer_profiles(void)
{
	struct profile_place *places = NULL;
	size_t count = 0;

	if (profile_list(&places, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		offer(places[i].name, places[i].own ? "yours" : NULL);
	profile_list_free(places, count);
}

static void offer_configurations(void)
{
	char **names = NULL;

	if (catalogue_filesystems(&names, NULL) < 0)
		return;
	for (size_t i = 0; names && names[i]; i++) {
		_cleanup_(configurations_clear) struct configurations c = { 0 };

		catalogue_read(names[i], &c, NULL);
		for (size_t k = 0; k < c.count; k++) {
			char name[CONFIGURATION_SIZE];

			offer(configuration_title(&c.list[k], name), c.list[k].description);
		}
	}
	words_free(names);
}

static void offer_suites(void)
{
	for (const char *const *suite = source_suites(); *suite; suite++)
		offer(*suite, source_distribution(*suite));
}

static void offer_kernels(void)
{
	offer("distro", "the kernel package of the rootfs's release");
	puts(":files");
}

static void offer_files(void)
{
	puts(":files");
}

static void offer_directories(void)
{
	puts(":directories");
}

static void offer_colors(void)
{
	offer("auto", NULL);
	offer("always", NULL);
	offer("never", NULL);
}

/* How to complete the kinds of values. */
static const struct {
	const char *kind;
	void (*offer)(void);
} kinds[] = {
	{ "NAME", offer_rootfs },     { "PROFILE", offer_profiles }, { "SUITE", offer_suites },
	{ "RUN", offer_runs },	      { "KERNEL", offer_kernels },   { "FILE", offer_files },
	{ "DIR", offer_directories }, { "WHEN", offer_colors },	     { "FS", offer_configurations },
};

/* Offers values for the row: an option's value, or the next argument of a verb. */
static void offer_values(const struct option_row *row)
{
	/* "RUN RUN", "[FILE…]" */
	const char *kind = row->value + (*row->value == '[');
	size_t length = strspn(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].kind) == length && strncmp(kind, kinds[i].kind, length) == 0)
			kinds[i].offer();
	if (option_has_choices(row)) {
		_cleanup_free_ char *copy = strdup(kind);
		char *rest = NULL, *word;

		for (word = copy ? strtok_r(copy, "|", &rest) : NULL; word;
		     word = strtok_r(NULL, "|", &rest))
			offer(word, NULL);
	}
}

/* The row whose value comes next after WORDS: the last option's, or the verb's. NULL if there is
 * none. *VERB: whether there is a verb. */
static const struct option_row *row_after(const struct command *c, int count, char **words,
					  bool *verb)
{
	const struct option_row *row = NULL, *found;
	int operands = 0, least, most;

	*verb = false;
	for (int i = 0; i < count; i++) {
		found = option_row_named(c, words[i]);
		if (words[i][0] == '-' && found && found->value) {
			if (i == count - 1)
				return found;
			i++;
		} else if (words[i][0] != '-' && !*verb) {
			*verb = true;
			row = found;
		} else if (words[i][0] != '-') {
			operands++;
		}
	}
	operands_count(row ? row->value : NULL, &least, &most);
	return operands < most ? row : NULL;
}

static void offer_rows(const struct command *c, bool verbs)
{
	const struct option_row *row;
	char gist[96];

	for (size_t i = 0; (row = option_row_at(c, i)); i++)
		if (row->text && option_row_is_verb(row) == verbs)
			offer(row->name, option_gist(row, gist, sizeof(gist)));
}

static void offer_commands(const struct command *const *commands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		offer(commands[i]->name, commands[i]->summary);
}

static void complete_words(const struct command *c, int argc, char **argv)
{
	const char *word = argv[argc - 1], *equals = strchr(word, '=');
	const struct option_row *row;
	bool verb;

	for (int i = 0; i < argc - 1; i++)
		if (strcmp(argv[i], "--") == 0) {
			offer_files();
			return;
		}
	if (strncmp(word, "--", 2) == 0 && equals) {
		_cleanup_free_ char *name = strndup(word, (size_t)(equals - word));

		row = name ? option_row_named(c, name) : NULL;
		if (row && row->value)
			offer_values(row);
		return;
	}
	row = row_after(c, argc - 1, argv, &verb);
	if (row && (word[0] != '-' || !verb)) {
		offer_values(row);
	} else if (word[0] == '-') {
		offer_rows(c, false);
	} else if (command_runs_another(c)) {
		offer("--", "end of the options");
	} else if (!verb) {
		offer_rows(c, true);
	}
}

int complete(const struct command *const *commands, size_t count, int argc, char **argv)
{
	if (argc < 1)
		return EXIT_USAGE;
	if (argc == 1 && argv[0][0] == '-') {
		offer_rows(&command_without_rows, false);
		offer("--version", NULL);
		return EXIT_OK;
	}
	if (argc == 1 || strcmp(argv[0], "help") == 0) {
		offer_commands(commands, count);
		return EXIT_OK;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(commands[i]->name, argv[0]) == 0)
			complete_words(commands[i], argc - 1, argv + 1);
	return EXIT_OK;
}
