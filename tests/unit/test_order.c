/* helper/worker/unpack/unpack_plan.c: the order in which dpkg unpacks and configures packages that
 * were not simply unpacked. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "helper/worker/unpack/unpack_plan.h"

#include "helper/worker/entries.h"
#include "scratch.h"
#include "tap.h"

#define LINES 16

/* Packages are written "name state Field: value; Field: value", one per line. State k: kept for
 * dpkg; state u: already unpacked. "; +more" continues the field. */
struct row {
	const char *what;
	const char *packages;
	const char *calls[LINES]; /* of dpkg, shortened: "unpack a b", "configure a", "preinst a" */
};

static const struct row rows[] = {
	{ "everything is unpacked: only pending packages are configured",
	  "aa u\nbb u Depends: aa",
	  { "pending" } },
	{ "dpkg unpacks everything in one call",
	  "base u Essential: yes\naa k\nbb k Depends: aa",
	  { "configure base", "unpack aa bb", "pending" } },
	{ "a Pre-Depends needs a separate round",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb k",
	  { "configure base", "unpack bb", "configure bb", "unpack aa", "pending" } },
	{ "a chain of Pre-Depends needs a round each",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb k Pre-Depends: cc\ncc k",
	  { "configure base", "unpack cc", "configure cc", "unpack bb", "configure bb", "unpack aa",
	    "pending" } },
	{ "the dependencies of a Pre-Depends are configured with it",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb u Depends: cc\ncc u",
	  { "configure base", "configure bb cc", "unpack aa", "pending" } },
	{ "the dependencies of a Pre-Depends are unpacked before it",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb u Depends: cc\ncc k",
	  { "configure base", "unpack cc", "configure bb cc", "unpack aa", "pending" } },
	{ "a Pre-Depends on a configured package",
	  "base u Essential: yes\naa k Pre-Depends: base (>= 1)",
	  { "configure base", "unpack aa", "pending" } },
	{ "one of two alternatives is enough",
	  "base u Essential: yes\naa k Pre-Depends: bb | base\nbb k Pre-Depends: aa",
	  { "configure base", "unpack aa", "configure aa", "unpack bb", "pending" } },
	{ "each group of alternatives needs one",
	  "base u Essential: yes\naa k Pre-Depends: base, bb\nbb u",
	  { "configure base", "configure bb", "unpack aa", "pending" } },
	{ "a provider of the name is enough",
	  "base u Essential: yes\naa k Pre-Depends: virtual\nbb u Provides: other, virtual (= 1)",
	  { "configure base", "configure bb", "unpack aa", "pending" } },
	{ "a field continued on the next lines",
	  "base u Essential: yes\naa k Pre-Depends: base,; +bb\nbb u",
	  { "configure base", "configure bb", "unpack aa", "pending" } },
	{ "a Pre-Depends on an absent package is ignored",
	  "base u Essential: yes\naa k Pre-Depends: absent",
	  { "configure base", "unpack aa", "pending" } },
	{ "a cycle of Pre-Depends ends",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb k Pre-Depends: aa",
	  { "configure base", "unpack aa bb", "pending" } },
	{ "a cycle of Depends is configured in one call",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb u Depends: cc\ncc u Depends: bb",
	  { "configure base", "configure bb cc", "unpack aa", "pending" } },
	{ "a cycle does not delay other packages",
	  "base u Essential: yes\naa k Pre-Depends: bb\nbb k Pre-Depends: aa\ncc k\ndd k "
	  "Pre-Depends: cc",
	  { "configure base", "unpack cc", "configure cc", "unpack dd", "unpack aa bb",
	    "pending" } },
	{ "base is the essential packages, dpkg, and their dependencies",
	  "base u Essential: yes; Depends: lib\nlib u Pre-Depends: more\nmore u\ndpkg u\naa k",
	  { "configure base dpkg lib more", "unpack aa", "pending" } },
	{ "base-passwd comes before the rest of base",
	  "base u Essential: yes\nbase-passwd u Essential: yes\naa k",
	  { "configure base-passwd", "configure base", "unpack aa", "pending" } },
	{ "base-passwd is not configured again for its dependents",
	  "base u Essential: yes\nbase-passwd u Essential: yes\naa k Pre-Depends: bb\n"
	  "bb u Depends: base-passwd",
	  { "configure base-passwd", "configure base", "configure bb", "unpack aa", "pending" } },
	{ "kept packages of base: their preinst runs before dpkg, base-passwd's first",
	  "base p Essential: yes\nbase-passwd p Essential: yes\naa u",
	  { "preinst base-passwd", "preinst base", "configure base-passwd", "pending" } },
	{ "other preinsts run after base's and before dpkg",
	  "aa p\nbase p Essential: yes\nbb u",
	  { "preinst base", "preinst aa", "pending" } },
	{ "base packages that dpkg must unpack come first",
	  "base k Essential: yes\naa k\nbb u",
	  { "unpack base", "configure base", "unpack aa", "pending" } },
};

static char dir[SCRATCH_SIZE] = "order";
static struct unpack_plan plan;

/* One line of ROW's PACKAGES: unpacked, kept, or with a preinst that still has to run. */
static bool add(char *line, int work)
{
	struct error *err = NULL;
	char *rest = line, *name = strsep(&rest, " "), *state = strsep(&rest, " "), *field;
	struct unpacked_package *p = plan_add(&plan, name, &err);
	int fd = openat(work, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!p || !f)
		return false;
	p->state = *state == 'u' ? PACKAGE_UNPACKED : *state == 'p' ? PACKAGE_AHEAD : PACKAGE_KEPT;
	fprintf(f, "Package: %s\nVersion: 1\nArchitecture: all\n", name);
	while ((field = strsep(&rest, ";"))) {
		field += strspn(field, " ");
		fprintf(f, "%s%s\n", *field == '+' ? " " : "", field + (*field == '+'));
	}
	return fclose(f) == 0;
}

/* Appends to SHORT the call of dpkg or of a preinst in LINE of the script, if any. */
static bool shorten(char *line, char *text, size_t size)
{
	const char *verb = strstr(line, "--unpack")	 ? "unpack"
			   : strstr(line, "--pending")	 ? "pending"
			   : strstr(line, "--configure") ? "configure"
							 : "preinst";
	bool quiet = strcmp(verb, "pending") == 0 || strstr(line, "--no-triggers") ||
		     strncmp(line, "preinst ", 8) == 0;
	char *rest = line, *word;
	size_t length;

	if ((strncmp(line, "dpkg ", 5) != 0 && strncmp(line, "preinst ", 8) != 0))
		return false;
	/* Triggers run only in the last call. */
	length = (size_t)snprintf(text, size, "%s%s", quiet ? "" : "with triggers: ", verb);
	for (strsep(&rest, " "); (word = strsep(&rest, " "));) {
		char *slash = strrchr(word, '/');

		if (word[0] == '-')
			continue;
		word = slash ? slash + 1 : word;
		word[strcspn(word, "_")] = '\0';
		length += (size_t)snprintf(text + length, size - length, " %s", word);
		if (strncmp(line, "preinst", 7) == 0)
			break;
	}
	return true;
}

static bool compare(FILE *script, const struct row *row)
{
	char line[1024], text[1024];
	size_t at = 0;
	bool good = true;

	while (fgets(line, sizeof(line), script)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "preinst()", 9) == 0 || !shorten(line, text, sizeof(text)))
			continue;
		if (at == LINES || !row->calls[at] || strcmp(row->calls[at], text) != 0) {
			printf("# call %zu: %s\n", at, text);
			good = false;
		}
		at += at < LINES;
	}
	return good && at < LINES && !row->calls[at];
}

static bool run(const struct row *row)
{
	struct layout layout = { .arch = "amd64" };
	char *copy = strdup(row->packages), *rest = copy, *line;
	struct error *err = NULL;
	FILE *script = NULL;
	bool good = true;
	int fd;

	layout.tree = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layout.work = tree_make_dirs(layout.tree, WORK);
	while ((line = strsep(&rest, "\n")))
		good = good && add(line, layout.work);
	good = good && plan_read(&plan, &layout, &err) == 0;
	good = good && plan_write(&plan, &layout, &err) == 0;
	fd = openat(layout.work, "_plan", O_RDONLY | O_CLOEXEC);
	script = fd < 0 ? NULL : fdopen(fd, "r");
	good = good && script && compare(script, row);
	if (err)
		printf("# %s\n", err->message);
	if (script)
		fclose(script);
	unlinkat(layout.work, "_plan", 0);
	for (size_t i = 0; i < plan.count; i++)
		free(plan.packages[i].control);
	memset(&plan, 0, sizeof(plan));
	close(layout.work);
	close(layout.tree);
	error_free(&err);
	free(copy);
	return good;
}

static void refuse(void)
{
	struct layout layout = { .tree = -1, .work = -1 };
	struct error *err = NULL;

	tap_check(plan_write(&plan, &layout, &err) < 0 && err->code == ERR_REFUSED,
		  "an empty plan is refused");
	error_free(&err);
	tap_check(plan_add(&plan, "aa", &err) && !plan_add(&plan, "aa", &err) &&
			  err->code == ERR_REFUSED,
		  "a duplicate package is refused");
	error_free(&err);
	memset(&plan, 0, sizeof(plan));
	plan.count = PACKAGES_MAX;
	tap_check(!plan_add(&plan, "aa", &err) && err->code == ERR_REFUSED,
		  "one package too many is refused");
	error_free(&err);
	memset(&plan, 0, sizeof(plan));
}

int main(void)
{
	char command[256];

	if (!scratch_make(dir))
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(run(&rows[i]), "%s", rows[i].what);
	refuse();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) == 0 ? tap_done() : 1;
}
