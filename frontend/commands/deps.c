/* rootlet deps: what fstests asks for, and what a rootfs and a kernel lack of it. */
#include <stdbool.h>
#include <string.h>

#include "frontend/archive/program_source.h"
#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/deps_report.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/kernel_package.h"

enum {
	OPTION_FSTESTS = OPTION_OWN,
	OPTION_KERNEL,
	OPTION_FSTYPE,
	OPTION_OFFLINE,
};

static const struct option_row deps_rows[] = {
	{ "--fstests", "DIR", OPTION_FSTESTS, "the fstests tree; it need not be built",
	  .required = true },
	ROOTFS_ROWS,
	{ "--kernel", "KERNEL", OPTION_KERNEL,
	  "compare with this kernel, too: a bzImage, a kernel build directory, or the word "
	  "distro" },
	{ "--fstype", "TYPES", OPTION_FSTYPE,
	  "filesystems under test, such as \"xfs,ext4\"; all: every one that fstests knows",
	  .fallback = "ext4,xfs,btrfs,f2fs,overlay,nfs,tmpfs" },
	{ "--keyring", "FILE", OPTION_KEYRING,
	  "keys to verify signatures with, if the rootfs comes from your own mirror" },
	{ "--offline", NULL, OPTION_OFFLINE,
	  "download nothing: find packages in the cache's index and in a built-in table" },
	QUIET_ROW,
	JSON_ROW("print a JSON object"),
	{ NULL },
};

struct deps {
	const char *name, *path, *fstests, *kernel_name, *fstypes, *keyring;
	bool offline, json;

	struct progress *progress;
	struct helper *helper;
	int directory, rootfs; /* or -1 */
	char *absolute, *tree, *options;
	struct manifest *manifest;
	struct requirements *requirements;
	struct dependencies dependencies;
	struct kernel *kernel;
	struct program_index index;
	char *index_failure;
};

static void deps_clear(struct deps *d)
{
	progress_end(d->progress);
	helper_stop(&d->helper);
	progress_free(&d->progress);
	dependencies_clear(&d->dependencies);
	requirements_free(&d->requirements);
	manifest_free(&d->manifest);
	kernel_free(&d->kernel);
	closep(&d->directory);
	closep(&d->rootfs);
	free(d->absolute);
	free(d->tree);
	free(d->options);
	free(d->index.text);
	free(d->index_failure);
}

static int open_rootfs(struct deps *d, struct error **err)
{
	if (store_find(d->name, d->path, &d->directory, &d->absolute, err) < 0 ||
	    helper_start("deps", d->progress, &d->helper, err) < 0 ||
	    store_open(d->helper, d->directory, d->absolute, &d->rootfs, NULL, err) < 0)
		return -1;
	return manifest_read(d->helper, d->rootfs, &d->manifest, err);
}

static int compare_kernel(struct deps *d, struct error **err)
{
	_cleanup_(kernel_features_free) struct kernel_features *features = NULL;
	int r;

	if (!d->kernel_name)
		return 0;
	r = strcmp(d->kernel_name, "distro") == 0
		    ? kernel_distribution(d->manifest, d->keyring, d->helper, d->progress,
					  &d->kernel, err)
		    : kernel_open(d->kernel_name, &d->kernel, err);
	if (r < 0)
		return -1;
	features = kernel_features_read(d->kernel);
	if (!features)
		return error_no_memory(err);
	dependencies_check_kernel(&d->dependencies, features);
	return 0;
}

static int find_dependencies(struct deps *d, struct error **err)
{
	if (requirements_read(d->tree, d->fstypes, &d->requirements, err) < 0 ||
	    open_rootfs(d, err) < 0 ||
	    dependencies_new(d->requirements, &d->dependencies, err) < 0 ||
	    dependencies_check_rootfs(&d->dependencies, d->helper, d->rootfs, err) < 0 ||
	    compare_kernel(d, err) < 0)
		return -1;
	if (dependencies_count(&d->dependencies, NEEDS_COMMAND, DEPENDENCY_MISSING) > 0 &&
	    dependencies_find_index(d->manifest, d->keyring, d->helper, d->progress, d->offline,
				    &d->index, &d->index_failure, err) < 0)
		return -1;
	dependencies_find_packages(&d->dependencies, d->manifest, &d->index);
	progress_end(d->progress);
	return 0;
}

static int deps_prepare(struct deps *d, struct error **err)
{
	const char *option = d->path ? " --path " : d->name ? " --name " : "";
	const char *value = d->path ? d->path : d->name ? d->name : "";

	d->tree = realpath(d->fstests, NULL);
	if (!d->tree)
		return error_errno(err, ERR_INPUT, "cannot open the fstests tree %s", d->fstests);
	if (asprintf(&d->options, "%s%s", option, value) < 0) {
		d->options = NULL;
		return error_no_memory(err);
	}
	return find_dependencies(d, err);
}

static int deps_print(const struct deps *d)
{
	const struct deps_report report = {
		.requirements = d->requirements,
		.dependencies = &d->dependencies,
		.manifest = d->manifest,
		.rootfs = d->absolute,
		.fstests = d->tree,
		.kernel = !d->kernel	       ? NULL
			  : d->kernel->version ? d->kernel->version
					       : d->kernel->image,
		.index_failure = d->index_failure,
		.options = d->options,
	};

	if (d->json)
		document_print(deps_report_describe(&report));
	else
		deps_report_print(&report);
	return EXIT_OK;
}

static int command_deps(const struct parsed_line *line)
{
	_cleanup_(deps_clear) struct deps d = {
		.name = line_value(line, OPTION_NAME),
		.path = line_value(line, OPTION_PATH),
		.fstests = line_value(line, OPTION_FSTESTS),
		.kernel_name = line_value(line, OPTION_KERNEL),
		.fstypes = line_value(line, OPTION_FSTYPE),
		.keyring = line_value(line, OPTION_KEYRING),
		.offline = line_has(line, OPTION_OFFLINE),
		.json = line_has(line, OPTION_JSON),
		.directory = -1,
		.rootfs = -1,
	};
	_cleanup_error_ struct error *err = NULL;
	int status;

	interrupt_catch();
	d.progress = progress_new(d.json || line_has(line, OPTION_QUIET) ? PROGRESS_QUIET
									 : PROGRESS_AUTO);
	if (deps_prepare(&d, &err) == 0)
		return deps_print(&d);
	status = report_error("deps", err);
	return d.json ? document_failure(err, status) : status;
}

const struct command deps_command = {
	.name = "deps",
	.summary = "show what fstests asks for and a rootfs lacks",
	.about = "Reads the tests of fstests, without running them, and shows which commands, "
		 "users, groups, kernel options and modules they ask for that the rootfs and the "
		 "kernel lack, how many tests need each, and which package of the rootfs's "
		 "release has it.\n"
		 "\n"
		 "Packages come from the release's signed index of files, which is downloaded once "
		 "(35 to 50 MB) and cached.",
	.statuses = "0 done, whether or not anything is missing; 1 failed, or no such rootfs; 2 "
		    "wrong command line, no fstests tree, or no such kernel; 5 the host lacks "
		    "something; 130 interrupted.",
	.rows = deps_rows,
	.run = command_deps,
};
