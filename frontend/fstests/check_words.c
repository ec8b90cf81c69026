#include "frontend/fstests/check_words.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/check_output.h"
#include "frontend/fstests/fstests.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define FILE_MOST (1u << 20)
#define GROUP_LIST_MOST (1u << 20)
#define GUEST_FILE "rootlet.exclude.%zu"

/* What an option of check controls. How tests run matters in every boot of a run; which tests run
 * is in the plan. */
enum word_kind {
	WORD_HOW,
	WORD_WHICH,
	WORD_ORDER,	    /* how often, and in which order */
	WORD_EXCLUDE_FILE,  /* names a file anywhere */
	WORD_EXCLUDE_NAMES, /* names files below tests/… */
};

/* clang-format off */
static const struct check_option {
	const char *name;
	bool value;
	enum word_kind kind;
} options[] = {
	{ "-g", true, WORD_WHICH },
	{ "-x", true, WORD_WHICH },
	{ "-X", true, WORD_EXCLUDE_NAMES },
	{ "-e", true, WORD_WHICH },
	{ "-E", true, WORD_EXCLUDE_FILE },
	{ "-s", true, WORD_WHICH },
	{ "-S", true, WORD_WHICH },
	{ "-n", false, WORD_WHICH },
	{ "-r", false, WORD_ORDER },
	{ "--exact-order", false, WORD_ORDER },
	{ "-i", true, WORD_ORDER },
	{ "-I", true, WORD_ORDER },
	{ "-L", true, WORD_HOW },
	{ "-R", true, WORD_HOW },
	{ "-l", false, WORD_HOW },
	{ "-udiff", false, WORD_HOW },
	{ "-T", false, WORD_HOW },
	{ "-d", false, WORD_HOW },
	{ "-b", false, WORD_HOW },
	{ "--large-fs", false, WORD_HOW },
	{ "-nfs", false, WORD_HOW },
	{ "-afs", false, WORD_HOW },
	{ "-glusterfs", false, WORD_HOW },
	{ "-cifs", false, WORD_HOW },
	{ "-9p", false, WORD_HOW },
	{ "-fuse", false, WORD_HOW },
	{ "-virtiofs", false, WORD_HOW },
	{ "-overlay", false, WORD_HOW },
	{ "-pvfs2", false, WORD_HOW },
	{ "-tmpfs", false, WORD_HOW },
	{ "-ubifs", false, WORD_HOW },
};
/* clang-format on */

static const struct check_option *find_option(const char *word)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (strcmp(options[i].name, word) == 0)
			return &options[i];
	return NULL;
}

/* Returns how many words, from WORDS[I] on, one option or test uses. If an option is unknown (a
 * newer check), the next word counts as its value unless it looks like an option or a test. */
static size_t word_span(char *const *words, size_t count, size_t i)
{
	const struct check_option *option = find_option(words[i]);
	const char *next = i + 1 < count ? words[i + 1] : NULL;

	if (option)
		return option->value && next ? 2 : 1;
	return words[i][0] == '-' && !strchr(words[i], '=') && next && *next != '-' &&
			       !strchr(next, '/')
		       ? 2
		       : 1;
}

const char *check_words_orders(char *const *words, size_t count)
{
	for (size_t i = 0; i < count && words[i][0] == '-'; i += word_span(words, count, i)) {
		const struct check_option *option = find_option(words[i]);

		if (option && option->kind == WORD_ORDER)
			return option->name;
	}
	return NULL;
}

/* --- what is wrong with them ------------------------------------------------------------------ */

/* As in check: some line of the directory's group.list begins with the name. */
static bool check_words_list_has(const char *text, const char *name)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line != '\0')
		if (text_has_prefix(line, name))
			return true;
	return false;
}

/* Whether TREE certainly lacks the test. Patterns are not judged: check rightly ignores much of
 * what they match. */
static bool is_unknown(const char *tree, const char *test)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-/";
	_cleanup_free_ char *tests = NULL;
	_cleanup_free_ char *dir = NULL;
	_cleanup_free_ char *list = NULL;
	_cleanup_free_ char *text = NULL;
	const char *name;

	if (text_has_prefix(test, "tests/"))
		test += strlen("tests/");
	if (!tree || !*test || test[strspn(test, plain)])
		return false;
	name = strrchr(test, '/');
	name = name ? name + 1 : test;
	if (asprintf(&tests, "%s/tests", tree) < 0 ||
	    asprintf(&dir, "%s/%.*s", tests, (int)strcspn(test, "/"), test) < 0 ||
	    asprintf(&list, "%s/group.list", dir) < 0)
		return false;
	if (access(dir, F_OK) < 0)
		return errno == ENOENT && access(tests, F_OK) == 0;
	/* group.list does not exist until fstests is built. */
	text = file_read(list, GROUP_LIST_MOST, NULL, NULL);
	return text && !check_words_list_has(text, name);
}

/* Users may quote "-g quick" as one argument by mistake; check would only print its usage. */
static bool has_control(const char *word)
{
	for (; *word; word++)
		if (iscntrl((unsigned char)*word))
			return true;
	return false;
}

static int test_shape(const char *word, const char *next, struct error **err)
{
	const struct check_option *option = find_option(word);
	const char *space = strchr(word, ' ');

	if (has_control(word) || (next && has_control(next)))
		return error_set(err, ERR_INPUT,
				 "check's arguments cannot have control characters");
	if (*word == '-' && space)
		return error_set(err, ERR_INPUT, "\"%s\" is one argument; pass two: -- %.*s %s",
				 word, (int)(space - word), word, space + strspn(space, " "));
	if (option && option->value && !next)
		return error_set(err, ERR_INPUT, "check's option %s needs a value", word);
	return 0;
}

/* Writes check's own complaint about a word. */
static void check_words_complain(FILE *out, const char *word, bool named, const char *tree)
{
	if (*word == '-' && named)
		fprintf(out,
			"%s\"%s\" is misplaced (Arguments before tests, please!): put check's "
			"options before the test names, and rootlet's before the --",
			ftell(out) > 0 ? "; " : "", word);
	else if (*word != '-' && is_unknown(tree, word))
		fprintf(out, "%s%s - unknown test", ftell(out) > 0 ? "; " : "", word);
}

int check_words_test(char *const *words, size_t count, const char *tree, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	bool named = false, late = false;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int result = 0;

	if (!out)
		return error_no_memory(err);
	for (size_t i = 0; i < count && result == 0 && !late; i += word_span(words, count, i)) {
		result = test_shape(words[i], i + 1 < count ? words[i + 1] : NULL, err);
		if (result == 0)
			check_words_complain(out, words[i], named, tree);
		late = named && words[i][0] == '-';
		named = named || words[i][0] != '-';
	}
	if (fclose(out) != 0)
		return error_no_memory(err);
	if (result == 0 && size)
		return error_set(err, ERR_INPUT, "%s", text);
	return result;
}

/* --- the files that they name ----------------------------------------------------------------- */

void check_words_clear(struct check_words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->words[i]);
	for (size_t i = 0; i < w->file_count; i++)
		free(w->files[i].text);
	free(w->words);
	free(w->files);
	*w = (struct check_words){ 0 };
}

/* Tries the working directory first, as for any file on a command line, then the tree, as check
 * does. */
static int check_words_read_file(const char *path, const char *tree, struct check_file *file,
				 struct error **err)
{
	_cleanup_free_ char *inside = NULL;
	bool relative = *path != '/' && access(path, F_OK) < 0;

	if (relative && asprintf(&inside, "%s/%s", tree, path) < 0)
		return error_no_memory(err);
	if (relative && access(inside, F_OK) < 0)
		return error_set(err, ERR_INPUT, "check's -E %s: no such file here or in %s", path,
				 tree);
	file->text = file_read(relative ? inside : path, FILE_MOST, &file->size, err);
	if (file->text)
		return 0;
	if (err && *err)
		(*err)->code = ERR_INPUT;
	return error_wrap(err, "check's -E");
}

/* check looks for the name in each directory below tests, and nowhere else. */
static int test_names(const char *name, const char *tree, struct error **err)
{
	_cleanup_free_ char *path = NULL;
	const struct dirent *entry;
	bool found = false;
	DIR *tests;

	if (asprintf(&path, "%s/tests", tree) < 0)
		return error_no_memory(err);
	tests = opendir(path);
	if (!tests)
		return error_errno(err, ERR_INPUT, "cannot open %s", path);
	while (!found && (entry = readdir(tests))) {
		_cleanup_free_ char *file = NULL;
		struct stat st;

		found = entry->d_name[0] != '.' &&
			asprintf(&file, "%s/%s/%s", path, entry->d_name, name) >= 0 &&
			stat(file, &st) == 0 && S_ISREG(st.st_mode);
	}
	closedir(tests);
	if (found)
		return 0;
	return error_set(err, ERR_INPUT,
			 "check's -X %s: no directory below %s contains a file of that name; for a "
			 "list of tests such as generic/001, use: -E FILE",
			 name, path);
}

static int check_words_add_file(struct check_words *w, const char *path, const char *tree,
				char **word, struct error **err)
{
	struct check_file *larger = reallocarray(w->files, w->file_count + 1, sizeof(*larger));

	if (!larger)
		return error_no_memory(err);
	w->files = larger;
	larger[w->file_count] = (struct check_file){ 0 };
	if (check_words_read_file(path, tree, &larger[w->file_count], err) < 0)
		return -1;
	if (asprintf(word, RESULTS_SHARE "/" GUEST_FILE, ++w->file_count) >= 0)
		return 0;
	*word = NULL;
	return error_no_memory(err);
}

static int add_value(struct check_words *w, const char *option, const char *value, const char *tree,
		     struct error **err)
{
	const struct check_option *known = find_option(option);
	char **word = &w->words[w->count];

	if (known && known->kind == WORD_EXCLUDE_NAMES && test_names(value, tree, err) < 0)
		return -1;
	if (known && known->kind == WORD_EXCLUDE_FILE) {
		if (check_words_add_file(w, value, tree, word, err) < 0)
			return -1;
	} else if (!(*word = strdup(value))) {
		return error_no_memory(err);
	}
	w->count++;
	return 0;
}

int check_words_read(char *const *words, size_t count, const char *tree, struct check_words *out,
		     struct error **err)
{
	*out = (struct check_words){ .words = calloc(count + 1, sizeof(*out->words)) };
	if (!out->words)
		return error_no_memory(err);
	for (size_t i = 0, next; i < count; i = next) {
		next = i + word_span(words, count, i);
		out->words[out->count] = strdup(words[i]);
		if (!out->words[out->count])
			return error_no_memory(err);
		out->count++;
		if (next - i == 2 && add_value(out, words[i], words[i + 1], tree, err) < 0)
			return -1;
	}
	return 0;
}

int check_words_write(const struct check_words *w, int results, struct error **err)
{
	for (size_t i = 0; i < w->file_count; i++) {
		_cleanup_close_ int fd = -1;
		char name[64];

		snprintf(name, sizeof(name), GUEST_FILE, i + 1);
		fd = openat(results, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 || write_all(fd, w->files[i].text, w->files[i].size) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot write %s for the guest", name);
	}
	return 0;
}

/* --- what a later boot needs of them ---------------------------------------------------------- */

static bool word_is_kept(const struct check_option *option, bool orders)
{
	return !option || option->kind == WORD_HOW || (orders && option->kind == WORD_ORDER);
}

int check_words_keep(char *const *words, size_t count, bool orders, struct batch *batch)
{
	size_t kept = 0;
	char **all = calloc(count + batch->count + 1, sizeof(*all));

	if (!all)
		return -1;
	for (size_t i = 0, next; i < count && words[i][0] == '-'; i = next) {
		const struct check_option *option = find_option(words[i]);

		next = i + word_span(words, count, i);
		for (size_t k = i; k < next && word_is_kept(option, orders); k++) {
			all[kept] = strdup(words[k]);
			if (!all[kept++])
				goto failed;
		}
	}
	memcpy(all + kept, batch->words, batch->count * sizeof(*all));
	free(batch->words);
	batch->words = all;
	batch->count += kept;
	return 0;
failed:
	while (kept)
		free(all[--kept]);
	free(all);
	return -1;
}
