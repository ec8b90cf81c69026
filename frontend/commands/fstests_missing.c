#include "frontend/commands/fstests_missing.h"

#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/dependencies.h"
#include "frontend/rootfs/change.h"

/* Sets the packages of all commands. */
static int missing_find_packages(const struct missing_request *r, struct lackings *l,
				 struct error **err)
{
	_cleanup_(helper_stop) struct helper *helper = NULL;
	_cleanup_free_ char *failure = NULL;
	struct program_index index = { 0 };

	if (helper_start("fstests", r->progress, &helper, err) < 0 ||
	    dependencies_find_index(r->manifest, r->keyring, helper, r->progress, false, &index,
				    &failure, err) < 0)
		return -1;
	if (failure)
		progress_note(r->progress, "looking up packages only in the built-in table: %s",
			      failure);
	for (size_t i = 0; i < l->count; i++)
		dependency_package(r->manifest, l->list[i].command, &index, l->list[i].package);
	free(index.text);
	return 0;
}

static int missing_list(const struct missing_request *r, const struct lackings *l, char ***packages,
			struct error **err)
{
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct lacking *one = &l->list[i];

		if (!*one->package)
			continue;
		if (words_add(packages, &count, one->package) < 0)
			return error_no_memory(err);
		progress_note(r->progress, "installing %s: %zu test%s did not find %s",
			      one->package, one->tests, one->tests == 1 ? "" : "s", one->command);
	}
	return 0;
}

static int missing_change(const struct missing_request *r, char *const *packages,
			  struct error **err)
{
	const struct change_request request = {
		.purpose = "install",
		.name = r->name,
		.path = r->path,
		.source.keyring = r->keyring,
		.base = BASE_INSTALLED,
		.packages = (const char *const *)packages,
	};
	struct package_change change = { .request = &request,
					 .progress = r->progress,
					 .parent_fd = -1 };
	int result = change_plan(&change, err);

	if (result == 0)
		result = change_apply(&change, err);
	change_clear(&change);
	return result;
}

int missing_install(const struct missing_request *request, struct lackings *l, struct error **err)
{
	char **packages = NULL;
	_cleanup_error_ struct error *why = NULL;
	bool any;
	int r = missing_find_packages(request, l, &why);

	if (r == 0)
		r = missing_list(request, l, &packages, &why);
	any = packages;
	if (r == 0 && any)
		r = missing_change(request, packages, &why);
	words_free(packages);
	progress_end(request->progress);
	if (r == 0 && !any)
		return 0;
	if (r == 0) {
		for (size_t i = 0; i < l->count; i++)
			l->list[i].installed = *l->list[i].package;
		return 1;
	}
	if (why && why->code == ERR_INTERRUPTED) {
		if (err)
			*err = STEAL_PTR(why);
		return -1;
	}
	l->why = strdup(error_text(why));
	return l->why ? 0 : error_no_memory(err);
}

void missing_print(const struct lackings *l, const char *suite)
{
	if (l->count)
		printf("\ncommands missing from the rootfs:\n");
	for (size_t i = 0; i < l->count; i++) {
		const struct lacking *one = &l->list[i];

		printf("  %s (%zu test%s): ", one->command, one->tests, one->tests == 1 ? "" : "s");
		if (one->installed)
			printf("installed package %s\n", one->package);
		else if (*one->package)
			printf("not installed, package %s\n", one->package);
		else if (l->why)
			printf("not installed\n");
		else
			printf("no package of %s has it\n", suite);
	}
	if (l->why)
		printf("nothing was installed: %s\n", l->why);
}

json_t *missing_to_json(const struct lackings *l)
{
	json_t *array = json_array();

	for (size_t i = 0; i < l->count; i++) {
		const struct lacking *one = &l->list[i];

		json_array_append_new(
			array, json_pack("{s:o, s:o, s:I, s:b, s:o}", "command",
					 json_text(one->command), "package",
					 json_text(*one->package ? one->package : NULL), "tests",
					 (json_int_t)one->tests, "installed", one->installed, "why",
					 json_text(one->installed ? NULL
						   : l->why	  ? l->why
							    : "no package of the release has it")));
	}
	return array;
}
