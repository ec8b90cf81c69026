#include "frontend/commands/deps_report.h"

#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/word_list.h"

#define NAME_WIDTH 34

static bool is_kernels(const struct requirement *requirement)
{
	return requirement->kind == NEEDS_OPTION || requirement->kind == NEEDS_MODULE;
}

static const char *option_of(const struct dependency *d)
{
	return d->requirement->kind == NEEDS_OPTION ? d->requirement->name : d->option;
}

static int compare_waiting(const void *left, const void *right)
{
	const struct requirement *a = ((const struct dependency *)left)->requirement;
	const struct requirement *b = ((const struct dependency *)right)->requirement;

	if (a->test_count != b->test_count)
		return a->test_count > b->test_count ? -1 : 1;
	/* They are sorted by kind and name. */
	return a < b ? -1 : a > b;
}

/* What is missing, of the kernel or of the rootfs, those of most tests first. Returns how many; the
 * caller frees the list. */
static size_t list_missing(const struct dependencies *d, bool kernels, struct dependency **list)
{
	size_t count = 0;

	*list = calloc(d->count + 1, sizeof(**list));
	for (size_t i = 0; *list && i < d->count; i++)
		if (d->list[i].state == DEPENDENCY_MISSING &&
		    is_kernels(d->list[i].requirement) == kernels)
			(*list)[count++] = d->list[i];
	if (count)
		qsort(*list, count, sizeof(**list), compare_waiting);
	return count;
}

/* How to get what is missing. */
static void print_remedy(const struct deps_report *r, const struct dependency *d)
{
	const struct manifest *m = r->manifest;

	switch (d->requirement->kind) {
	case NEEDS_COMMAND:
		if (d->package[0])
			printf("%s\n", d->package);
		else
			printf("no package of %s%s\n", m->suite,
			       r->index_failure ? " that is known" : "");
		return;
	case NEEDS_USER:
	case NEEDS_GROUP:
		puts("a profile");
		return;
	case NEEDS_OPTION:
	case NEEDS_MODULE:
		printf("CONFIG_%s\n", option_of(d));
		return;
	}
}

static void print_table(const struct deps_report *r, bool kernels, const char *heading,
			const char *remedy)
{
	_cleanup_free_ struct dependency *list = NULL;
	size_t count = list_missing(r->dependencies, kernels, &list);

	if (count)
		style_print(stdout, STYLE_HEADING, "%-*s %5s  %-10s  %s\n", NAME_WIDTH, heading,
			    "TESTS", "FILESYSTEM", remedy);
	for (size_t i = 0; i < count; i++) {
		const struct requirement *q = list[i].requirement;
		const char *kind = requirement_kind_name(q->kind);
		int width = NAME_WIDTH - (int)strlen(kind) - 1;

		printf("%s %-*s %5zu  %-10s  ", kind, width, q->name, q->test_count,
		       requirement_filesystem(r->requirements, q));
		print_remedy(r, &list[i]);
	}
	if (count)
		putchar('\n');
}

/* The packages that have missing commands, each once; those of most tests first. */
static char **list_packages(const struct deps_report *r)
{
	_cleanup_free_ struct dependency *list = NULL;
	size_t count = list_missing(r->dependencies, false, &list), packages = 0;
	char **words = NULL;

	for (size_t i = 0; i < count; i++)
		if (list[i].package[0])
			words_add(&words, &packages, list[i].package);
	return words;
}

/* The command that installs what is missing. */
static void print_install_line(const struct deps_report *r)
{
	char **packages = list_packages(r);

	if (packages) {
		printf("To install the missing packages, run:\n  rootlet install%s", r->options);
		for (char **package = packages; *package; package++)
			printf(" %s", *package);
		putchar('\n');
	}
	words_free(packages);
}

static size_t count_accounts(const struct deps_report *r)
{
	return dependencies_count(r->dependencies, NEEDS_USER, DEPENDENCY_MISSING) +
	       dependencies_count(r->dependencies, NEEDS_GROUP, DEPENDENCY_MISSING);
}

static size_t count_kernels(const struct deps_report *r, enum dependency_state state)
{
	return dependencies_count(r->dependencies, NEEDS_OPTION, state) +
	       dependencies_count(r->dependencies, NEEDS_MODULE, state);
}

static void print_notes(const struct deps_report *r)
{
	size_t unknown = count_kernels(r, DEPENDENCY_UNKNOWN);

	if (unknown && !r->kernel)
		printf("%zu kernel options and modules were not compared; name a kernel with "
		       "--kernel\n",
		       unknown);
	else if (unknown)
		printf("%zu kernel options and modules could not be compared: kernel %s does not "
		       "say whether it has them\n",
		       unknown, r->kernel);
	if (r->index_failure &&
	    dependencies_count(r->dependencies, NEEDS_COMMAND, DEPENDENCY_MISSING))
		printf("The packages come from a built-in table: %s\n", r->index_failure);
	if (count_accounts(r))
		printf("To create the users and groups, rebuild the rootfs, which loses packages "
		       "installed since:\n"
		       "  rootlet create --force%s --release %s --profile fstests\n",
		       r->options, r->manifest->suite);
}

void deps_report_print(const struct deps_report *r)
{
	printf("%zu tests of %s ask for %zu things. %s lacks %zu of them",
	       r->requirements->test_count, r->fstests, r->dependencies->count, r->rootfs,
	       dependencies_count(r->dependencies, NEEDS_COMMAND, DEPENDENCY_MISSING) +
		       count_accounts(r));
	if (r->kernel)
		printf(", kernel %s %zu", r->kernel, count_kernels(r, DEPENDENCY_MISSING));
	fputs(".\n\n", stdout);
	print_table(r, false, "MISSING IN THE ROOTFS", "PACKAGE");
	print_table(r, true, "MISSING IN THE KERNEL", "OPTION");
	print_notes(r);
	print_install_line(r);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static json_t *describe_tests(const struct requirements *r, const struct requirement *requirement)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < requirement->test_count; i++)
		json_array_append_new(tests, json_text(r->tests[requirement->tests[i]]));
	return tests;
}

static json_t *describe_dependency(const struct deps_report *r, const struct dependency *d)
{
	static const char *const states[] = { "unknown", "present", "missing" };
	const struct requirement *q = d->requirement;
	bool missing = d->state == DEPENDENCY_MISSING;
	const char *option = is_kernels(q) && *option_of(d) ? option_of(d) : NULL;

	return json_pack("{s:s, s:o, s:s, s:s, s:i, s:o, s:o, s:o}", "kind",
			 requirement_kind_name(q->kind), "name", json_text(q->name), "state",
			 states[d->state], "filesystem", requirement_filesystem(r->requirements, q),
			 "tests", (int)q->test_count, "needed_by",
			 missing ? describe_tests(r->requirements, q) : json_array(), "package",
			 json_text(d->package[0] ? d->package : NULL), "option", json_text(option));
}

json_t *deps_report_describe(const struct deps_report *r)
{
	json_t *list = json_array(), *install = json_array();
	char **packages = list_packages(r);

	for (size_t i = 0; i < r->dependencies->count; i++)
		json_array_append_new(list, describe_dependency(r, &r->dependencies->list[i]));
	for (char **package = packages; package && *package; package++)
		json_array_append_new(install, json_text(*package));
	words_free(packages);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "path", json_text(r->rootfs),
			 "release", json_text(r->manifest->suite), "fstests", json_text(r->fstests),
			 "kernel", json_text(r->kernel), "index_failure",
			 json_text(r->index_failure), "tests", (int)r->requirements->test_count,
			 "dependencies", list, "packages", install);
}
