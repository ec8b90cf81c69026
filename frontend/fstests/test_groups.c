#include "frontend/fstests/test_groups.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/check_output.h"

#define LIST_MOST (1u << 20) /* the largest today has 24 KiB */
#define HEAD_MOST 8192	     /* _begin_fstest follows the comment at the top of a test */
#define TESTS_MOST 20000
#define LINE_MOST 4096 /* more groups than anybody gives a test */

struct grouped_test {
	char *name;
	const char *groups; /* " auto quick "; in NAME's memory */
};

struct test_groups {
	struct grouped_test *list; /* sorted by name once all are read */
	size_t count;
};

void test_groups_free(struct test_groups **groups)
{
	if (!*groups)
		return;
	for (size_t i = 0; i < (*groups)->count; i++)
		free((*groups)->list[i].name);
	free((*groups)->list);
	free(*groups);
	*groups = NULL;
}

static void test_groups_blank_tabs(char *text)
{
	for (; *text; text++)
		if (*text == '\t')
			*text = ' ';
}

/* Adds DIRECTORY/TEST with the words of LINE up to its end. Ignores what cannot be a test. Returns
 * false if out of memory. */
static bool test_groups_add(struct test_groups *g, const char *directory, const char *test,
			    size_t test_length, const char *line)
{
	size_t length = strcspn(line, "\r\n#");
	_cleanup_free_ char *name = NULL;
	struct grouped_test *added;
	char *groups;

	if (length > LINE_MOST || g->count >= TESTS_MOST)
		return true;
	/* Both strings in one piece of memory. */
	if (asprintf(&name, "%s/%.*s%c %.*s ", directory, (int)test_length, test, '\0', (int)length,
		     line) < 0) {
		name = NULL;
		return false;
	}
	if (test_name_length(name) != strlen(name))
		return true;
	added = array_grow(&g->list, g->count, sizeof(*added));
	if (!added)
		return false;
	groups = name + strlen(name) + 1;
	test_groups_blank_tabs(groups);
	*added = (struct grouped_test){ STEAL_PTR(name), groups };
	g->count++;
	return true;
}

/* Lines are "001 auto quick" or comments. */
static bool test_groups_take_list(struct test_groups *g, const char *directory, const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line != '\0') {
		size_t length = strcspn(line, " \t\r\n");

		if (*line != '#' && length &&
		    !test_groups_add(g, directory, line, length, line + length))
			return false;
	}
	return true;
}

/* Looks for the line in the test itself: "_begin_fstest auto quick rw". */
static bool test_groups_take_test(struct test_groups *g, int tree, const char *directory,
				  const char *test)
{
	static const char begin[] = "\n_begin_fstest ";
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	const char *line;

	if (asprintf(&path, "tests/%s/%s", directory, test) < 0)
		return false;
	if (test_name_length(path + strlen("tests/")) != strlen(path) - strlen("tests/"))
		return true;
	text = tree_read_start(tree, path, HEAD_MOST, &ignored);
	line = text ? strstr(text, begin) : NULL;
	return !line || test_groups_add(g, directory, test, strlen(test), line + strlen(begin) - 1);
}

/* Opens the directory PATH of the tree; NULL with errno set. */
static DIR *test_groups_open(int tree, const char *path)
{
	int fd = tree_open(tree, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		closep(&fd);
	return d;
}

static bool test_groups_take_tests(struct test_groups *g, int tree, const char *directory)
{
	_cleanup_free_ char *path = NULL;
	const struct dirent *entry;
	bool good = true;
	DIR *d;

	if (asprintf(&path, "tests/%s", directory) < 0)
		return false;
	d = test_groups_open(tree, path);
	if (!d)
		return true;
	while (good && (entry = readdir(d)))
		good = test_groups_take_test(g, tree, directory, entry->d_name);
	closedir(d);
	return good;
}

static bool test_groups_take_directory(struct test_groups *g, int tree, const char *directory)
{
	static const char *const files[] = { "group.list", "group" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		_cleanup_error_ struct error *ignored = NULL;
		_cleanup_free_ char *path = NULL;
		_cleanup_free_ char *text = NULL;

		if (asprintf(&path, "tests/%s/%s", directory, files[i]) < 0)
			return false;
		text = tree_read(tree, path, LIST_MOST, NULL, &ignored);
		if (text)
			return test_groups_take_list(g, directory, text);
	}
	return test_groups_take_tests(g, tree, directory);
}

static int compare_grouped(const void *a, const void *b)
{
	return strcmp(((const struct grouped_test *)a)->name,
		      ((const struct grouped_test *)b)->name);
}

int test_groups_read(const char *tree, struct test_groups **out, struct error **err)
{
	_cleanup_(test_groups_free) struct test_groups *g = calloc(1, sizeof(*g));
	_cleanup_close_ int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : test_groups_open(fd, "tests");
	const struct dirent *entry;
	bool good = g;

	*out = NULL;
	if (!d)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot read the tests in %s", tree);
	while (good && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			good = test_groups_take_directory(g, fd, entry->d_name);
	closedir(d);
	if (!good)
		return error_no_memory(err);
	if (g->count)
		qsort(g->list, g->count, sizeof(*g->list), compare_grouped);
	*out = STEAL_PTR(g);
	return 0;
}

static const struct grouped_test *test_groups_find(const struct test_groups *groups,
						   const char *test)
{
	struct grouped_test key = { .name = (char *)(uintptr_t)test };

	return groups && groups->count ? bsearch(&key, groups->list, groups->count,
						 sizeof(*groups->list), compare_grouped)
				       : NULL;
}

bool test_groups_has(const struct test_groups *groups, const char *test, const char *group)
{
	const struct grouped_test *found = test_groups_find(groups, test);
	size_t length = strlen(group);

	for (const char *p = found && length ? found->groups : NULL; p && (p = strstr(p, group));
	     p += length)
		if (p[-1] == ' ' && p[length] == ' ')
			return true;
	return false;
}

bool test_groups_has_test(const struct test_groups *groups, const char *test)
{
	return test_groups_find(groups, test);
}

size_t test_groups_count(const struct test_groups *groups)
{
	return groups ? groups->count : 0;
}

const char *test_groups_name(const struct test_groups *groups, size_t i)
{
	return groups->list[i].name;
}

const char *test_groups_words(const struct test_groups *groups, size_t i)
{
	return groups->list[i].groups;
}
