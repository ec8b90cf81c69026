#include "frontend/fstests/requirements.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/check_output.h"
#include "frontend/fstests/requirement_text.h"
#include "frontend/fstests/shell_conditions.h"
#include "lib/names.h"

#define FILE_MOST (1u << 20) /* bytes; the largest today has 160 KiB */
#define FILES_MOST 1000	     /* of common/; today 50 */
#define TESTS_MOST 20000
#define BYTES_MOST (256u << 20) /* of all tests */

struct tree_scan {
	int tree;
	const char *path;
	struct requirement_scan scan;
	struct requirements *result;
	uint32_t *queue; /* pieces that the current test reaches */
	size_t bytes;
};

void requirements_free(struct requirements **requirements)
{
	struct requirements *r = *requirements;

	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		requirement_clear(&r->list[i]);
	words_free(r->tests);
	free(r->list);
	free(r);
	*requirements = NULL;
}

static int excessive(const struct tree_scan *t, struct error **err)
{
	return error_set(err, ERR_INPUT,
			 "cannot read the tests in %s: it is larger than any fstests tree",
			 t->path);
}

static int check_scan(const struct tree_scan *t, struct error **err)
{
	if (t->scan.failed)
		return error_no_memory(err);
	return t->scan.excessive ? excessive(t, err) : 0;
}

/* --- directories ---------------------------------------------------------------------------- */

static int requirements_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the names in D that are not hidden. Returns their number, at most MOST + 1, or -1 if out of
 * memory. */
static ssize_t add_names(DIR *d, char ***names, size_t most)
{
	const struct dirent *entry;
	size_t count = 0;

	*names = calloc(1, sizeof(**names));
	while (*names && count <= most && (entry = readdir(d))) {
		char **end;

		if (entry->d_name[0] == '.')
			continue;
		/* Behind the terminating NULL. */
		end = array_grow(names, count + 1, sizeof(**names));
		if (!end || !(end[-1] = strdup(entry->d_name)))
			return -1;
		count++;
	}
	return *names ? (ssize_t)count : -1;
}

/* Sets *NAMES, which the caller frees, to the names in DIRECTORY of the tree, sorted.
 * ERR_INPUT if the directory does not exist. */
static int list_names(const struct tree_scan *t, const char *directory, size_t most, char ***names,
		      struct error **err)
{
	int fd = tree_open(t->tree, directory, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	ssize_t count;

	if (!d) {
		closep(&fd);
		return error_errno(err, errno == ENOENT ? ERR_INPUT : ERR_SYSTEM,
				   "cannot read %s in %s", directory, t->path);
	}
	count = add_names(d, names, most);
	closedir(d);
	if (count < 0)
		return error_no_memory(err);
	if ((size_t)count > most)
		return excessive(t, err);
	qsort(*names, (size_t)count, sizeof(**names), requirements_compare_names);
	return 0;
}

/* Reads a file of the tree as text; the caller frees it. NULL if it is no text file of a reasonable
 * size. */
static char *read_text(struct tree_scan *t, const char *path)
{
	_cleanup_error_ struct error *ignored = NULL;
	size_t size = 0;
	char *text = tree_read(t->tree, path, FILE_MOST, &size, &ignored);

	t->bytes += size;
	return text;
}

/* --- common/ -------------------------------------------------------------------------------- */

typedef void scan_pass(struct requirement_scan *scan, const char *name, const char *text);

static int scan_common(struct tree_scan *t, char **names, scan_pass *pass, struct error **err)
{
	for (; *names; names++) {
		_cleanup_free_ char *path = NULL;
		_cleanup_free_ char *text = NULL;

		if (asprintf(&path, "common/%s", *names) < 0)
			return error_no_memory(err);
		text = read_text(t, path);
		if (text)
			pass(&t->scan, path, text);
		if (check_scan(t, err) < 0)
			return -1;
	}
	return 0;
}

static int read_common(struct tree_scan *t, struct error **err)
{
	_cleanup_(words_freep) char **names = NULL;

	if (list_names(t, "common", FILES_MOST, &names, err) < 0)
		return -1;
	/* Piece 0, for tests. */
	requirement_scan_names(&t->scan, "", "");
	if (scan_common(t, names, requirement_scan_names, err) < 0 ||
	    scan_common(t, names, requirement_scan_file, err) < 0)
		return -1;
	t->queue = calloc(t->scan.piece_count, sizeof(*t->queue));
	return t->queue ? 0 : error_no_memory(err);
}

/* --- tests ---------------------------------------------------------------------------------- */

/* Counts the current test, number TEST, for a requirement. */
static int count_test(struct requirement *need, uint32_t test, uint32_t filesystems)
{
	uint32_t *added;

	need->filesystems |= filesystems;
	if (need->test_count && need->tests[need->test_count - 1] == test)
		return 0;
	added = array_grow(&need->tests, need->test_count, sizeof(*added));
	if (!added)
		return -1;
	*added = test;
	need->test_count++;
	return 0;
}

/* Puts what PIECE calls into the queue, unless it is there. Sets *GROWN if it reaches a piece for
 * further filesystems, which must then be visited again. */
static size_t follow_calls(struct tree_scan *t, const struct requirement_piece *piece, size_t end,
			   bool *grown)
{
	for (size_t i = 0; i < piece->calls.count; i++) {
		const struct requirement_edge *call = &piece->calls.list[i];
		struct requirement_piece *target = &t->scan.pieces[call->target];
		uint32_t filesystems = piece->reached & call->filesystems;

		if (!(filesystems & ~target->reached))
			continue;
		if (!target->reached)
			t->queue[end++] = call->target;
		target->reached |= filesystems;
		*grown = true;
	}
	return end;
}

/* Visits each piece that the current test reaches, until no further filesystem is found. */
static size_t reach_pieces(struct tree_scan *t, uint32_t filesystems)
{
	struct requirement_piece *pieces = t->scan.pieces;
	bool grown = false;
	size_t end;

	for (size_t i = 0; i < t->scan.piece_count; i++)
		pieces[i].reached = 0;
	pieces[0].reached = filesystems;
	end = follow_calls(t, &pieces[0], 0, &grown);
	while (grown) {
		grown = false;
		for (size_t i = 0; i < end; i++)
			end = follow_calls(t, &pieces[t->queue[i]], end, &grown);
	}
	return end;
}

static int count_needs(struct tree_scan *t, const struct requirement_piece *piece, uint32_t test,
		       struct error **err)
{
	for (size_t i = 0; i < piece->needs.count; i++) {
		const struct requirement_edge *edge = &piece->needs.list[i];
		uint32_t filesystems = edge->filesystems & piece->reached;

		if (filesystems && count_test(&t->scan.needs[edge->target], test, filesystems) < 0)
			return error_no_memory(err);
	}
	return 0;
}

/* The filesystems on which the tests of a directory run. */
static uint32_t directory_filesystems(const char *directory)
{
	static const char *const any[] = { "generic", "perf", "selftest", "shared" };

	for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++)
		if (strcmp(directory, any[i]) == 0)
			return FILESYSTEMS_ALL;
	return filesystems_matching(strcmp(directory, "ext4") == 0 ? "ext[234]" : directory);
}

static int add_test(struct tree_scan *t, const char *name, const char *text, uint32_t filesystems,
		    struct error **err)
{
	struct requirements *r = t->result;
	uint32_t test = (uint32_t)r->test_count;
	size_t reached;
	char **end;

	if (r->test_count >= TESTS_MOST || t->bytes > BYTES_MOST)
		return excessive(t, err);
	end = array_grow(&r->tests, r->test_count + 1, sizeof(*end));
	if (!end || !(end[-1] = strdup(name)))
		return error_no_memory(err);
	r->test_count++;
	requirement_scan_test(&t->scan, text);
	if (check_scan(t, err) < 0)
		return -1;
	reached = reach_pieces(t, filesystems);
	if (count_needs(t, &t->scan.pieces[0], test, err) < 0)
		return -1;
	for (size_t i = 0; i < reached; i++)
		if (count_needs(t, &t->scan.pieces[t->queue[i]], test, err) < 0)
			return -1;
	return 0;
}

static int read_test(struct tree_scan *t, const char *directory, const char *name,
		     struct error **err)
{
	uint32_t filesystems = directory_filesystems(directory) & t->result->filesystems;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	const char *test;

	if (!filesystems)
		return 0;
	if (asprintf(&path, "tests/%s/%s", directory, name) < 0)
		return error_no_memory(err);
	test = path + strlen("tests/");
	if (test_name_length(test) != strlen(test))
		return 0;
	text = read_text(t, path);
	return text ? add_test(t, test, text, filesystems, err) : 0;
}

static bool is_directory(const struct tree_scan *t, const char *path)
{
	return tree_has(t->tree, path, S_IFDIR);
}

static int read_directory(struct tree_scan *t, const char *directory, struct error **err)
{
	_cleanup_(words_freep) char **names = NULL;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "tests/%s", directory) < 0)
		return error_no_memory(err);
	if (!is_directory(t, path))
		return 0;
	/* A test has one or two files with its expected output. */
	if (list_names(t, path, 8 * (size_t)TESTS_MOST, &names, err) < 0)
		return -1;
	for (size_t i = 0; names[i]; i++)
		if (read_test(t, directory, names[i], err) < 0)
			return -1;
	return 0;
}

static int read_tests(struct tree_scan *t, struct error **err)
{
	_cleanup_(words_freep) char **names = NULL;

	t->result->tests = calloc(1, sizeof(*t->result->tests));
	if (!t->result->tests)
		return error_no_memory(err);
	if (list_names(t, "tests", FILES_MOST, &names, err) < 0)
		return -1;
	for (size_t i = 0; names[i]; i++)
		if (read_directory(t, names[i], err) < 0)
			return -1;
	return 0;
}

/* --- the result ----------------------------------------------------------------------------- */

static int compare_requirements(const void *left, const void *right)
{
	const struct requirement *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->test_count != b->test_count)
		return a->test_count > b->test_count ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Moves the requirements that a test has from the scan to the result. */
static void take_requirements(struct tree_scan *t)
{
	struct requirements *r = t->result;
	size_t kept = 0;

	r->list = STEAL_PTR(t->scan.needs);
	for (size_t i = 0; i < t->scan.need_count; i++) {
		if (r->list[i].test_count)
			r->list[kept++] = r->list[i];
		else
			requirement_clear(&r->list[i]);
	}
	t->scan.need_count = 0;
	r->count = kept;
	if (kept)
		qsort(r->list, kept, sizeof(*r->list), compare_requirements);
}

static void tree_scan_clear(struct tree_scan *t)
{
	closep(&t->tree);
	requirement_pieces_clear(&t->scan);
	requirements_free(&t->result);
	free(t->queue);
}

const char *requirement_filesystem(const struct requirements *requirements,
				   const struct requirement *requirement)
{
	const char *name = filesystems_name(requirement->filesystems);

	if (requirement->filesystems == requirements->filesystems)
		return "any";
	return name ? name : "some";
}

static int choose_filesystems(struct tree_scan *t, const char *fstypes, struct error **err)
{
	_cleanup_free_ char *copy = strdup(fstypes);
	char *rest = NULL;

	if (!copy)
		return error_no_memory(err);
	for (char *word = strtok_r(copy, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		bool ext = text_has_prefix(word, "ext");

		if (!valid_archive_word(word))
			return error_set(err, ERR_INPUT,
					 "\"%.40s\" is not the name of a filesystem", word);
		t->result->filesystems |= strcmp(word, REQUIREMENTS_ALL) == 0
						  ? FILESYSTEMS_ALL
						  : filesystems_matching(ext ? "ext[234]" : word);
	}
	return 0;
}

int requirements_read(const char *tree, const char *fstypes, struct requirements **out,
		      struct error **err)
{
	_cleanup_(tree_scan_clear) struct tree_scan t = {
		.tree = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.path = tree,
		.result = calloc(1, sizeof(*t.result)),
	};

	*out = NULL;
	if (t.tree < 0)
		return error_errno(err, ERR_INPUT, "cannot open the fstests tree %s", tree);
	if (!t.result)
		return error_no_memory(err);
	if (choose_filesystems(&t, fstypes, err) < 0 || read_common(&t, err) < 0 ||
	    read_tests(&t, err) < 0)
		return -1;
	take_requirements(&t);
	*out = STEAL_PTR(t.result);
	return 0;
}
