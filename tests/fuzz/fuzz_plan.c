/* The plan of a native build and dpkg's database, from control files. The input is text: lines
 * "%package NAME STATE" with a control file, "%conffiles" and "%triggers" for the package. Nothing
 * may be created outside the tree, and the script must call for each package once. Includes the
 * source file for the script's constant parts, which are static. */
#include "helper/worker/unpack/unpack_plan.c"

#include "helper/worker/entries.h"
#include "layout.h"
#include "lib/write_all.h"

#define PACKAGES 32
#define CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 +-._:/\n"

static struct unpack_plan plan;

struct part {
	const char *conffiles, *triggers;
};

static struct part parts[PACKAGES];

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* The unpacker leaves its results for a package like this. */
static struct layout make_layout(int parent)
{
	struct layout layout = layout_make(parent);
	int etc = tree_make_dirs(layout.tree, "etc");

	if (etc < 0)
		abort();
	put(etc, "a.dpkg-new", "a\n");
	close(etc);
	return layout;
}

/* "NAME STATE" and the control file. Invalid package names are skipped. */
static void take_package(const struct layout *layout, char *text)
{
	char *state = strpbrk(text, " \n"), *control = strchr(text, '\n');
	struct unpacked_package *p;
	char letter;

	if (!state || !control || plan.count == PACKAGES)
		return;
	letter = state < control ? state[1] : 'u';
	*state = '\0';
	if (!valid_package_name(text) || !(p = plan_add(&plan, text, NULL)))
		return;
	p->state = letter == 'a' ? PACKAGE_AHEAD : letter == 'k' ? PACKAGE_KEPT : PACKAGE_UNPACKED;
	parts[plan.count - 1] = (struct part){ NULL, NULL };
	put(layout->work, p->name, control + 1);
}

static void take_packages(const struct layout *layout, char *text)
{
	char *rest = text;

	while (rest) {
		char *part = rest, *end = strstr(rest, "\n%");

		rest = end ? end + 2 : NULL;
		if (end)
			end[1] = '\0';
		if (strncmp(part, "package ", 8) == 0)
			take_package(layout, part + 8);
		else if (plan.count && strncmp(part, "conffiles\n", 10) == 0)
			parts[plan.count - 1].conffiles = part + 10;
		else if (plan.count && strncmp(part, "triggers\n", 9) == 0)
			parts[plan.count - 1].triggers = part + 9;
	}
}

static void put_members(const struct layout *layout)
{
	int info = tree_open_beneath(layout->tree, DPKG_INFO, O_RDONLY | O_DIRECTORY, 0);
	char name[PACKAGE_NAME_MAX + SUITE_MAX + 2], file[sizeof(name) + 16];

	if (info < 0)
		abort();
	for (size_t i = 0; i < plan.count; i++) {
		package_database_name(&plan.packages[i], layout, name, sizeof(name));
		snprintf(file, sizeof(file), "%s.conffiles", name);
		if (parts[i].conffiles)
			put(info, file, parts[i].conffiles);
		snprintf(file, sizeof(file), "%s.triggers", name);
		if (parts[i].triggers)
			put(info, file, parts[i].triggers);
	}
	close(info);
}

static size_t count_of(const char *text, const char *word)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		count++;
	return count;
}

/* A shell runs it as root of the tree, so package text must never be more than a word. */
static void check_script(const struct layout *layout)
{
	size_t size;
	_cleanup_free_ char *text = tree_read_file(layout->work, "_plan", 1 << 22, &size);
	char *own = text ? strstr(text, prologue) : NULL, *end, *constant,
	     file[PACKAGE_NAME_MAX + 32];
	const char *version = text ? text + strcspn(text, "'") + 1 : NULL;

	if (!own || strlen(text) != size)
		abort();
	if (strncmp(text, "version=", 8) == 0 &&
	    strncmp(version + strcspn(version, "'\n"), "'\n# Written", 11) != 0)
		abort();
	own += sizeof(prologue) - 1;
	if (strncmp(own, no_services, sizeof(no_services) - 1) != 0)
		abort();
	own += sizeof(no_services) - 1;
	if (!(end = strstr(own, epilogue)) || strcmp(end, epilogue) != 0)
		abort();
	*end = '\0';
	if (!(constant = strstr(own, aliases)))
		abort();
	memset(constant, ' ', sizeof(aliases) - 1);
	if (own[strspn(own, CHARACTERS)] != '\0')
		abort();
	for (size_t i = 0; i < plan.count; i++) {
		snprintf(file, sizeof(file), " /" WORK "/%s_.deb", plan.packages[i].name);
		if (count_of(own, file) != (plan.packages[i].state == PACKAGE_KEPT))
			abort();
	}
}

static void forget_plan(void)
{
	for (size_t i = 0; i < plan.count; i++)
		free(plan.packages[i].control);
	memset(&plan, 0, PACKAGES * sizeof(*plan.packages));
	plan.count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int parent = fuzz_dir();
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct layout layout;

	layout = make_layout(parent);
	take_packages(&layout, *text == '%' ? text + 1 : text);
	if (plan_read(&plan, &layout, &err) < 0)
		abort();
	put_members(&layout);
	if (plan_write(&plan, &layout, &err) == 0)
		check_script(&layout);
	else if (!err)
		abort();
	fuzz_check_outside();
	forget_plan();
	layout_remove(parent, &layout);
	return 0;
}
