#include "frontend/fstests/excludes.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/exclude_values.h"
#include "frontend/fstests/test_index.h"
#include "lib/error_wrap.h"

#define FILE_MOST (1u << 20)
#define ENTRIES_MOST 20000 /* of all files */
#define TESTS_MOST 1000	   /* of an entry */
#define REASON_MOST 1000   /* bytes */
#define PATTERN "*?["	   /* what makes a word a pattern */
#define SHOWN "%.80s"	   /* of a word that may be long */

static const struct {
	const char *name, *form;
	bool (*valid)(const char *value);
} keys[EXCLUDE_KEYS] = {
	[EXCLUDE_CONFIGURATION] = { "configuration", "names or patterns such as xfs/4k,ext4/*",
				    exclude_patterns_valid },
	[EXCLUDE_FSTYPE] = { "fstype", "names or patterns such as ext4,xfs",
			     exclude_patterns_valid },
	[EXCLUDE_KERNEL] = { "kernel", "versions such as 6.1, <6.5 or >=5.15,<6.1",
			     exclude_kernel_valid },
	[EXCLUDE_ARCH] = { "arch", "names or patterns such as x86_64,arm64",
			   exclude_patterns_valid },
	[EXCLUDE_UNTIL] = { "until", "a date such as 2027-01-31", exclude_date_valid },
	[EXCLUDE_SEE] = { "see", "a URL or the hash of a commit", exclude_reference_valid },
};

static void exclude_clear(struct exclude *x)
{
	words_free(x->tests);
	for (size_t k = 0; k < EXCLUDE_KEYS; k++)
		free(x->values[k]);
	free(x->reason);
	free(x->origin);
}

void excludes_clear(struct excludes *e)
{
	for (size_t i = 0; i < e->count; i++)
		exclude_clear(&e->list[i]);
	free(e->list);
	*e = (struct excludes){ 0 };
}

/* --- parsing -------------------------------------------------------------------------------- */

struct exclude_parser {
	struct excludes *excludes;
	const char *path, *configuration;
	unsigned int line;
	bool open; /* an indented line continues the last reason */
	struct error **err;
};

/* Returns -1 with "PATH:LINE: message" set. */
static int exclude_complain(const struct exclude_parser *p, const char *format, ...)
	PRINTF_LIKE(2, 3);

static int exclude_complain(const struct exclude_parser *p, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	return error_set(p->err, ERR_INPUT, "%s:%u: %s", p->path, p->line,
			 message ? message : "out of memory");
}

static int exclude_add_test(const struct exclude_parser *p, struct exclude *x, const char *word)
{
	size_t count = words_count(x->tests);

	if (!exclude_test_valid(word))
		return exclude_complain(p,
					"\"" SHOWN "\" is neither a test such as "
					"generic/475 nor a pattern such as generic/*",
					word);
	if (count >= TESTS_MOST)
		return exclude_complain(p, "more than %d tests in one entry", TESTS_MOST);
	x->patterns = x->patterns || strpbrk(word, PATTERN);
	return words_add(&x->tests, &count, word) < 0 ? error_no_memory(p->err) : 0;
}

/* Takes KEY=VALUE, which it modifies. */
static int exclude_add_value(const struct exclude_parser *p, struct exclude *x, char *word)
{
	const char *names[EXCLUDE_KEYS], *hint;
	char *value = word + strcspn(word, "=");

	*value++ = '\0';
	for (size_t k = 0; k < EXCLUDE_KEYS; k++) {
		names[k] = keys[k].name;
		if (strcmp(word, keys[k].name) != 0)
			continue;
		if (x->values[k])
			return exclude_complain(p, "%s is given twice", word);
		if (!keys[k].valid(value))
			return exclude_complain(p, "%s=" SHOWN ": must be %s", word, value,
						keys[k].form);
		x->values[k] = strdup(value);
		return x->values[k] ? 0 : error_no_memory(p->err);
	}
	hint = suggest(word, names, EXCLUDE_KEYS);
	return exclude_complain(p, "unknown field \"" SHOWN "\"%s%s", word,
				hint ? "; did you mean: " : "", hint ? hint : "");
}

/* Takes the words up to the one that ends with a colon. LINE then begins after it. */
static int exclude_take_words(const struct exclude_parser *p, struct exclude *x, char **line)
{
	char *word, *rest = NULL;
	bool last = false;

	for (word = strtok_r(*line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		size_t length = strlen(word);
		int result = 0;

		last = word[length - 1] == ':';
		if (last)
			word[length - 1] = '\0';
		if (strchr(word, '='))
			result = exclude_add_value(p, x, word);
		else if (*word)
			result = exclude_add_test(p, x, word);
		if (result < 0)
			return -1;
		if (last)
			break;
	}
	*line = rest ? rest + strspn(rest, " ") : NULL;
	if (!last)
		return exclude_complain(p, "no reason: an entry is TEST… [KEY=VALUE…]: REASON");
	return x->tests ? 0 : exclude_complain(p, "no test before the reason");
}

static int exclude_check_length(const struct exclude_parser *p, const struct exclude *x)
{
	if (strlen(x->reason) <= REASON_MOST)
		return 0;
	return exclude_complain(p, "a reason of more than %d bytes", REASON_MOST);
}

static int exclude_take_entry(struct exclude_parser *p, char *line)
{
	struct excludes *e = p->excludes;
	struct exclude *x =
		e->count < ENTRIES_MOST ? array_double(&e->list, e->count, sizeof(*x)) : NULL;

	if (e->count >= ENTRIES_MOST)
		return exclude_complain(p, "more than %d entries", ENTRIES_MOST);
	if (!x)
		return error_no_memory(p->err);
	e->count++;
	if (asprintf(&x->origin, "%s:%u", p->path, p->line) < 0) {
		x->origin = NULL;
		return error_no_memory(p->err);
	}
	if (exclude_take_words(p, x, &line) < 0)
		return -1;
	if (p->configuration && !x->values[EXCLUDE_CONFIGURATION] &&
	    !(x->values[EXCLUDE_CONFIGURATION] = strdup(p->configuration)))
		return error_no_memory(p->err);
	x->reason = strdup(line ? line : "");
	return x->reason ? exclude_check_length(p, x) : error_no_memory(p->err);
}

/* An indented line goes on with the reason of the entry above it. */
static int exclude_continue(const struct exclude_parser *p, const char *line)
{
	struct exclude *x = p->open ? &p->excludes->list[p->excludes->count - 1] : NULL;
	char *longer;

	if (!x)
		return exclude_complain(p, "an indented line without an entry before it");
	if (asprintf(&longer, "%s%s%s", x->reason, *x->reason ? " " : "", line) < 0)
		return error_no_memory(p->err);
	free(x->reason);
	x->reason = longer;
	return exclude_check_length(p, x);
}

/* Blanks of any kind become spaces, and those at the end go. */
static void exclude_blank(char *line)
{
	size_t length = strlen(line);

	for (char *c = line; *c; c++)
		if (*c == '\t' || *c == '\r')
			*c = ' ';
	while (length && line[length - 1] == ' ')
		line[--length] = '\0';
}

static int exclude_take_line(struct exclude_parser *p, char *line)
{
	const char *start;

	p->line++;
	exclude_blank(line);
	start = line + strspn(line, " ");
	if (!text_is_clean(line))
		return exclude_complain(p, "a control character, or text that is not UTF-8");
	if (*start == '#')
		return 0;
	if (!*start) {
		p->open = false;
		return 0;
	}
	if (start != line)
		return exclude_continue(p, start);
	p->open = true;
	return exclude_take_entry(p, line);
}

int excludes_parse(struct excludes *e, const char *path, const char *text,
		   const char *configuration, struct error **err)
{
	_cleanup_free_ char *copy = strdup(text);
	struct exclude_parser p = {
		.excludes = e, .path = path, .configuration = configuration, .err = err
	};
	size_t before = e->count;

	if (!copy)
		return error_no_memory(err);
	for (char *line = copy, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (exclude_take_line(&p, line) < 0)
			return -1;
	}
	for (size_t i = before; i < e->count; i++)
		if (!*e->list[i].reason)
			return error_set(err, ERR_INPUT, "%s: no reason after the colon",
					 e->list[i].origin);
	return 0;
}

/* --- files ---------------------------------------------------------------------------------- */

/* A test with the conditions of its entry. */
struct exclude_pair {
	const char *test, *origin;
	char *conditions;
};

static struct test_key exclude_pair_at(const void *list, size_t position)
{
	const struct exclude_pair *pair = (const struct exclude_pair *)list + position;

	return (struct test_key){ pair->conditions, pair->test };
}

static char *exclude_conditions(const struct exclude *x)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t k = 0; k < EXCLUDE_CONDITIONS; k++)
		if (x->values[k])
			fprintf(out, " %s=%s", keys[k].name, x->values[k]);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int exclude_list_pairs(const struct exclude *x, struct exclude_pair **pairs, size_t *count,
			      struct error **err)
{
	for (char **test = x->tests; *test; test++) {
		struct exclude_pair *pair = array_double(pairs, *count, sizeof(*pair));

		if (!pair || !(pair->conditions = exclude_conditions(x)))
			return error_no_memory(err);
		pair->test = *test;
		pair->origin = x->origin;
		++*count;
	}
	return 0;
}

/* Refuses a test that two entries from BEFORE on leave out under the same conditions: a file with
 * two reasons for one thing has one that nobody sees. */
static int exclude_find_double(const struct excludes *e, size_t before, struct error **err)
{
	_cleanup_(test_index_clear) struct test_index index = { 0 };
	struct exclude_pair *pairs = NULL;
	size_t count = 0;
	int result = 0;

	for (size_t i = before; i < e->count && result == 0; i++)
		result = exclude_list_pairs(&e->list[i], &pairs, &count, err);
	for (size_t i = 0; i < count && result == 0; i++) {
		const struct exclude_pair *pair = &pairs[i];
		size_t first = test_index_find(&index, pairs, exclude_pair_at, pair->conditions,
					       pair->test);

		if (first != TEST_INDEX_NONE)
			result = error_set(err, ERR_INPUT,
					   "%s: %s is excluded under the same conditions in line "
					   "%s",
					   pair->origin, pair->test,
					   strrchr(pairs[first].origin, ':') + 1);
		else if (!test_index_add(&index, pairs, exclude_pair_at, i))
			result = error_no_memory(err);
	}
	for (size_t i = 0; i < count; i++)
		free(pairs[i].conditions);
	free(pairs);
	return result;
}

int excludes_read(struct excludes *e, const char *path, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	size_t size, before = e->count;

	text = file_read(path, FILE_MOST, &size, err);
	if (!text) {
		if (err && *err && (*err)->code == ERR_MISSING)
			(*err)->code = ERR_INPUT;
		return -1;
	}
	if (strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: a binary file", path);
	if (excludes_parse(e, path, text, NULL, err) < 0)
		return -1;
	return exclude_find_double(e, before, err);
}

static int is_exclude_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && entry->d_name[length - 1] != '~' &&
	       entry->d_type != DT_DIR;
}

int excludes_read_directory(struct excludes *e, const char *path, struct error **err)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_exclude_file, alphasort), result = 0;

	if (count < 0 && errno == ENOENT)
		return 0;
	if (count < 0)
		return error_errno(err, ERR_INPUT, "cannot read %s", path);
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *file = NULL;

		if (result == 0 && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0) {
			file = NULL;
			result = error_no_memory(err);
		}
		if (result == 0)
			result = excludes_read(e, file, err);
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* --- matching ------------------------------------------------------------------------------- */

bool exclude_names(const struct exclude *x, const char *test)
{
	for (char **name = x->tests; *name; name++)
		if (strcmp(*name, test) == 0 || (x->patterns && strpbrk(*name, PATTERN) &&
						 fnmatch(*name, test, FNM_PATHNAME) == 0))
			return true;
	return false;
}

bool exclude_holds(const struct exclude *x, const struct exclude_place *place)
{
	const char *const *values = (const char *const *)x->values;

	return (exclude_patterns_match(values[EXCLUDE_CONFIGURATION], place->configuration) ||
		exclude_patterns_match(values[EXCLUDE_CONFIGURATION], place->section)) &&
	       exclude_patterns_match(values[EXCLUDE_FSTYPE], place->fstype) &&
	       exclude_kernel_matches(values[EXCLUDE_KERNEL], place->kernel) &&
	       (exclude_patterns_match(values[EXCLUDE_ARCH], place->arch[0]) ||
		exclude_patterns_match(values[EXCLUDE_ARCH], place->arch[1]));
}

bool exclude_expired(const struct exclude *x, const char *today)
{
	const char *until = x->values[EXCLUDE_UNTIL];

	return until && today && strcmp(until, today) < 0;
}

const struct exclude *excludes_find(struct excludes *e, const struct exclude_place *place,
				    const char *test)
{
	for (size_t i = 0; i < e->count; i++) {
		struct exclude *x = &e->list[i];

		if (!exclude_names(x, test) || !exclude_holds(x, place) ||
		    exclude_expired(x, place->today))
			continue;
		x->used = true;
		return x;
	}
	return NULL;
}

/* --- text ----------------------------------------------------------------------------------- */

char *exclude_explain(const struct exclude *x)
{
	const char *see = x->values[EXCLUDE_SEE];
	char *text;

	if (asprintf(&text, "%s%s%s%s", x->reason, see ? " (" : "", see ? see : "",
		     see ? ")" : "") < 0)
		return NULL;
	return text;
}

char *excludes_compose(const struct excludes *e)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < e->count; i++) {
		const struct exclude *x = &e->list[i];

		for (char **test = x->tests; *test; test++)
			fprintf(out, "%s%s", test == x->tests ? "" : " ", *test);
		for (size_t k = 0; k < EXCLUDE_KEYS; k++)
			if (x->values[k])
				fprintf(out, " %s=%s", keys[k].name, x->values[k]);
		fprintf(out, ": %s\n", x->reason);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
