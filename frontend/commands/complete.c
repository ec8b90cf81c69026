#include "frontend/commands/complete.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "frontend/archive/source.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/rootfs/profile_places.h"
#include "frontend/rootfs/store.h"

#define STATE_DEFAULT "/.local/state"

/* An option or subcommand of a help text, "--name" or "show", the kind of value that it takes
 * ("NAME"; empty: none), and how many of them ("RUN RUN", "FILE…"). */
struct completion_entry {
	char word[32], kind[32], text[96];
	unsigned times;
};

static void offer(const char *word, const char *text)
{
	if (text && *text)
		printf("%s\t%s\n", word, text);
	else
		puts(word);
}

/* Offers the directories in PATH that are not hidden. */
static void offer_folders(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' &&
		    (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
			offer(entry->d_name, NULL);
	if (folder)
		closedir(folder);
}

static void offer_rootfs(void)
{
	_cleanup_free_ char *folder = store_folder(NULL);

	if (folder)
		offer_folders(folder);
}

static void offer_runs(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	_cleanup_free_ char *home = paths_home(NULL), *path = NULL;
	bool own = state && *state == '/';

	if (!home ||
	    asprintf(&path, "%s%s/rootlet/runs", own ? state : home, own ? "" : STATE_DEFAULT) < 0)
		path = NULL;
	offer("last", "the newest run");
	if (path)
		offer_folders(path);
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
	puts(":folders");
}

static void offer_colors(void)
{
	offer("auto", NULL);
	offer("always", NULL);
	offer("never", NULL);
}

/* How to complete the kinds of values in the help texts. */
static const struct {
	const char *kind;
	void (*offer)(void);
} kinds[] = {
	{ "NAME", offer_rootfs },     { "PROFILE", offer_profiles }, { "SUITE", offer_suites },
	{ "RUN", offer_runs },	      { "KERNEL", offer_kernels },   { "FILE", offer_files },
	{ "DIR", offer_directories }, { "WHEN", offer_colors },
};

static void offer_kind(const char *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			kinds[i].offer();
	/* "native|debootstrap" */
	if (strchr(kind, '|')) {
		_cleanup_free_ char *copy = strdup(kind);
		char *rest = NULL, *word;

		for (word = copy ? strtok_r(copy, "|", &rest) : NULL; word;
		     word = strtok_r(NULL, "|", &rest))
			offer(word, NULL);
	}
}

/* Copies TEXT up to a character of END, or as much as fits. Returns where TEXT goes on. */
static const char *copy_until(const char *text, const char *end, char *out, size_t room)
{
	size_t n = strcspn(text, end);

	snprintf(out, room, "%.*s", (int)n, text);
	return text + n;
}

/* A kind is a word in capitals or a choice: "NAME", "image|dir". */
static bool is_kind(const char *word)
{
	return (word[0] >= 'A' && word[0] <= 'Z') || memchr(word, '|', strcspn(word, " \n"));
}

/* Reads what follows the word: " NAME", " RUN RUN", " FILE…" or nothing. Returns where the
 * description begins. */
static const char *read_kind(const char *line, struct completion_entry *e)
{
	static const char many[] = "…";
	size_t length;

	e->kind[0] = '\0';
	e->times = 0;
	if (*line != ' ' || !is_kind(line + 1))
		return line;
	line = copy_until(line + 1, " \n…", e->kind, sizeof(e->kind));
	length = strlen(e->kind);
	e->times = 1;
	if (text_has_prefix(line, many)) {
		e->times = UINT_MAX;
		return line + strlen(many);
	}
	for (; *line == ' ' && strncmp(line + 1, e->kind, length) == 0; line += length + 1)
		e->times++;
	return line;
}

/* Reads the next line of the form "  WORD [KIND]  text", and moves *TEXT past it. */
static bool next_entry(const char **text, struct completion_entry *e)
{
	while (**text) {
		const char *line = *text;
		size_t n = strcspn(line, "\n");

		*text += n + (line[n] == '\n');
		if (strncmp(line, "  ", 2) != 0 || line[2] == ' ' || line[2] == '\n')
			continue;
		line = copy_until(line + 2, " \n", e->word, sizeof(e->word));
		line = read_kind(line, e);
		line += strspn(line, " ");
		copy_until(line, "\n(;:", e->text, sizeof(e->text));
		for (n = strlen(e->text); n > 0 && e->text[n - 1] == ' '; n--)
			e->text[n - 1] = '\0';
		return true;
	}
	return false;
}

/* The kind of value that WORD takes after PASSED others, or NULL if it takes no more. */
static const char *complete_kind_of(const char *help, const char *word, unsigned passed,
				    struct completion_entry *e)
{
	while (next_entry(&help, e))
		if (strcmp(e->word, word) == 0)
			return *e->kind && passed < e->times ? e->kind : NULL;
	return NULL;
}

/* The kind of value that comes next after WORDS: that of the last option, or of the subcommand.
 * *VERB: whether there is a subcommand. */
static const char *kind_after(const char *help, int count, char **words, bool *verb,
			      struct completion_entry *e)
{
	const char *first = NULL, *kind;
	unsigned passed = 0;

	*verb = false;
	for (int i = 0; i < count; i++) {
		if (words[i][0] == '-') {
			kind = complete_kind_of(help, words[i], 0, e);
			if (kind && i == count - 1)
				return kind;
			i += kind != NULL;
		} else if (!first) {
			first = words[i];
		} else {
			passed++;
		}
	}
	*verb = first;
	return first ? complete_kind_of(help, first, passed, e) : NULL;
}

static void offer_entries(const char *help, bool options)
{
	struct completion_entry e;

	while (next_entry(&help, &e))
		if ((e.word[0] == '-') == options && !is_kind(e.word))
			offer(e.word, e.text);
}

static void offer_commands(const struct command *commands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		offer(commands[i].name, commands[i].summary);
}

static void complete_words(const struct command *c, int argc, char **argv)
{
	const char *word = argv[argc - 1], *equals = strchr(word, '='), *kind;
	struct completion_entry e;
	bool verb;

	for (int i = 0; i < argc - 1; i++)
		if (strcmp(argv[i], "--") == 0) {
			offer_files();
			return;
		}
	if (strncmp(word, "--", 2) == 0 && equals) {
		_cleanup_free_ char *name = strndup(word, (size_t)(equals - word));

		kind = name ? complete_kind_of(c->help, name, 0, &e) : NULL;
		offer_kind(kind ? kind : "");
		return;
	}
	kind = kind_after(c->help, argc - 1, argv, &verb, &e);
	if (kind && (word[0] != '-' || !verb)) {
		offer_kind(kind);
	} else if (word[0] == '-') {
		offer_entries(c->help, true);
	} else if (c->runs_command) {
		offer("--", "end of the options");
	} else if (!verb) {
		offer_entries(c->help, false);
	}
}

int complete(const struct command *commands, size_t count, int argc, char **argv)
{
	if (argc < 1)
		return EXIT_USAGE;
	if (argc == 1 && argv[0][0] == '-') {
		offer("--help", "show how to use rootlet");
		offer("--version", NULL);
		offer("--color", "auto, always or never");
		return EXIT_OK;
	}
	if (argc == 1 || strcmp(argv[0], "help") == 0) {
		offer_commands(commands, count);
		return EXIT_OK;
	}
	for (size_t i = 0; i < count; i++)
		if (commands[i].help && strcmp(commands[i].name, argv[0]) == 0)
			complete_words(&commands[i], argc - 1, argv + 1);
	return EXIT_OK;
}
