#include "frontend/fstests/dependencies.h"

#include <string.h>

#include "frontend/archive/program_source.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/view.h"
#include "frontend/fstests/command_packages.h"
#include "frontend/rootfs/manifest_change.h"

/* Of a guest's PATH. */
static const char *const places[] = { "/usr/bin/", "/usr/sbin/",       "/bin/",
				      "/sbin/",	   "/usr/local/sbin/", "/usr/local/bin/" };
#define PLACES (sizeof(places) / sizeof(*places))

int dependencies_new(const struct requirements *requirements, struct dependencies *out,
		     struct error **err)
{
	out->list = calloc(requirements->count + 1, sizeof(*out->list));
	if (!out->list)
		return error_no_memory(err);
	out->count = requirements->count;
	for (size_t i = 0; i < out->count; i++)
		out->list[i].requirement = &requirements->list[i];
	return 0;
}

void dependencies_clear(struct dependencies *d)
{
	free(d->list);
}

size_t dependencies_count(const struct dependencies *d, enum requirement_kind kind,
			  enum dependency_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++)
		count += d->list[i].requirement->kind == kind && d->list[i].state == state;
	return count;
}

/* --- the rootfs ----------------------------------------------------------------------------- */

/* Asks for all places of all commands at once. Commands come first among the requirements. */
static int check_commands(struct dependencies *d, struct helper *helper, int rootfs,
			  struct error **err)
{
	_cleanup_(words_freep) char **paths = calloc(d->count * PLACES + 1, sizeof(*paths));
	_cleanup_free_ char *kinds = malloc(d->count * PLACES + 1);
	size_t count = 0;

	if (!paths || !kinds)
		return error_no_memory(err);
	for (size_t i = 0; i < d->count; i++)
		for (size_t j = 0; j < PLACES; j++) {
			const struct requirement *requirement = d->list[i].requirement;

			if (requirement->kind != NEEDS_COMMAND)
				continue;
			if (asprintf(&paths[count], "%s%s", places[j], requirement->name) < 0) {
				paths[count] = NULL;
				return error_no_memory(err);
			}
			count++;
		}
	if (view_find(helper, rootfs, (const char *const *)paths, count, kinds, err) < 0)
		return -1;
	for (size_t i = 0; i < count / PLACES; i++)
		d->list[i].state = memchr(kinds + i * PLACES, 'f', PLACES) ? DEPENDENCY_PRESENT
									   : DEPENDENCY_MISSING;
	return 0;
}

/* Whether a line of passwd(5) or group(5) begins with NAME. */
static bool has_account(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return true;
	}
	return false;
}

static int check_accounts(struct dependencies *d, enum requirement_kind kind, const char *file,
			  struct helper *helper, int rootfs, struct error **err)
{
	_cleanup_free_ char *text = view_read(helper, rootfs, file, NULL, err);

	if (!text)
		return -1;
	for (size_t i = 0; i < d->count; i++)
		if (d->list[i].requirement->kind == kind)
			d->list[i].state = has_account(text, d->list[i].requirement->name)
						   ? DEPENDENCY_PRESENT
						   : DEPENDENCY_MISSING;
	return 0;
}

int dependencies_check_rootfs(struct dependencies *d, struct helper *helper, int rootfs,
			      struct error **err)
{
	if (check_commands(d, helper, rootfs, err) < 0 ||
	    check_accounts(d, NEEDS_USER, "passwd", helper, rootfs, err) < 0 ||
	    check_accounts(d, NEEDS_GROUP, "group", helper, rootfs, err) < 0)
		return -1;
	return 0;
}

/* --- the kernel ----------------------------------------------------------------------------- */

/* Options whose names do not follow from their module's. Some targets are part of dm-mod. */
static const struct {
	const char *module, *option, *file;
} module_options[] = {
	{ "loop", "BLK_DEV_LOOP", "loop" },
	{ "zloop", "BLK_DEV_ZLOOP", "zloop" },
	{ "dm-thin-pool", "DM_THIN_PROVISIONING", "dm_thin_pool" },
	{ "dm-error", "BLK_DEV_DM", "dm_mod" },
	{ "dm-linear", "BLK_DEV_DM", "dm_mod" },
	{ "dm-stripe", "BLK_DEV_DM", "dm_mod" },
	{ "dm-striped", "BLK_DEV_DM", "dm_mod" },
	{ "btrfs", "BTRFS_FS", "btrfs" },
	{ "xfs", "XFS_FS", "xfs" },
};

static char option_letter(char c)
{
	return c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Sets the option of a module, and the name of its file with "_" for "-". */
static void name_option(struct dependency *d, char file[static PACKAGE_NAME_MAX + 1])
{
	const char *name = d->requirement->name;
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof(module_options) / sizeof(*module_options); i++)
		if (strcmp(name, module_options[i].module) == 0) {
			snprintf(d->option, sizeof(d->option), "%s", module_options[i].option);
			snprintf(file, PACKAGE_NAME_MAX + 1, "%s", module_options[i].file);
			return;
		}
	for (size_t i = 0; i <= length && i <= PACKAGE_NAME_MAX; i++) {
		d->option[i] = option_letter(name[i]);
		file[i] = name[i];
		if (name[i] == '-')
			file[i] = '_';
	}
}

static enum dependency_state dependency_state_of(enum kernel_feature feature)
{
	return feature == FEATURE_UNKNOWN  ? DEPENDENCY_UNKNOWN
	       : feature == FEATURE_ABSENT ? DEPENDENCY_MISSING
					   : DEPENDENCY_PRESENT;
}

void dependencies_check_kernel(struct dependencies *d, const struct kernel_features *features)
{
	char file[PACKAGE_NAME_MAX + 1];

	for (size_t i = 0; i < d->count; i++) {
		struct dependency *one = &d->list[i];

		if (one->requirement->kind == NEEDS_OPTION) {
			if (kernel_config(features))
				one->state = dependency_state_of(
					kernel_feature(features, one->requirement->name, ""));
		} else if (one->requirement->kind == NEEDS_MODULE) {
			name_option(one, file);
			one->state =
				dependency_state_of(kernel_feature(features, one->option, file));
		}
	}
}

/* --- packages ------------------------------------------------------------------------------- */

/* Chooses among COUNT packages that have COMMAND: that of the table, the one of the same name, else
 * the shortest name: "gcc" and not "gcc-mingw-w64". NULL if the rootfs has all of them. */
static const char *choose_package(const struct manifest *m, const char *command, const char *known,
				  char packages[][PACKAGE_NAME_MAX + 1], size_t count)
{
	const char *chosen = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *package = packages[i];

		if (manifest_version(m, package))
			continue;
		if ((known && strcmp(package, known) == 0) || strcmp(package, command) == 0)
			return package;
		if (!chosen || strlen(package) < strlen(chosen))
			chosen = package;
	}
	return chosen;
}

int dependencies_find_index(const struct manifest *m, const char *keyring, struct helper *helper,
			    struct progress *progress, bool offline, struct program_index *index,
			    char **failure, struct error **err)
{
	const struct source source = {
		.suite = m->suite,
		.arch = m->arch,
		/* A rootfs must not be able to have old release files accepted for others. */
		.mirror = m->dated ? NULL : m->mirror,
		.keyring = keyring,
		.purpose = "the index of programs",
	};

	return program_source_find(&source, helper, progress, offline, index, failure, err);
}

void dependency_package(const struct manifest *m, const char *command,
			const struct program_index *index,
			char package[static PACKAGE_NAME_MAX + 1])
{
	char packages[PROGRAM_PACKAGES_MAX][PACKAGE_NAME_MAX + 1];
	const struct command_package *row = command_package(command);
	const char *chosen = row && !manifest_version(m, row->package) ? row->package : NULL;

	if (index->text && !(row && row->alternative))
		chosen = choose_package(m, command, row ? row->package : NULL, packages,
					program_index_find(index, command, packages));
	snprintf(package, PACKAGE_NAME_MAX + 1, "%s", chosen ? chosen : "");
}

void dependencies_find_packages(struct dependencies *d, const struct manifest *m,
				const struct program_index *index)
{
	for (size_t i = 0; i < d->count; i++) {
		struct dependency *one = &d->list[i];

		if (one->requirement->kind == NEEDS_COMMAND && one->state == DEPENDENCY_MISSING)
			dependency_package(m, one->requirement->name, index, one->package);
	}
}
