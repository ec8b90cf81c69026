#include "frontend/commands/change_line.h"

#include <string.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/rootfs/manifest_change.h"
#include "frontend/rootfs/previous.h"
#include "lib/error_wrap.h"

/* A change, and the packages that it installs, upgrades and removes. */
struct change_report {
	struct package_change change;
	json_t *installed, *upgraded, *removed; /* lists of objects */
	uint64_t bytes;				/* to download at most */
	struct source_words words;		/* of the request's source */
	bool applied, quiet;
	time_t began;
};

static void report_clear(struct change_report *r)
{
	change_clear(&r->change);
	progress_free(&r->change.progress);
	json_decref(r->installed);
	json_decref(r->upgraded);
	json_decref(r->removed);
	source_words_clear(&r->words);
}

static bool is_security(const struct package *package)
{
	return package->pocket && strcmp(package->pocket->name, "security") == 0;
}

static void add_versions(json_t *list, const char *name, const char *version)
{
	json_array_append_new(list, json_pack("{s:o, s:o}", "name", json_text(name), "version",
					      json_text(version)));
}

/* FROM is NULL if the rootfs lacks the package. */
static void report_package(struct change_report *r, const char *name, const char *from,
			   const char *version, bool security)
{
	if (!from)
		add_versions(r->installed, name, version);
	else
		json_array_append_new(r->upgraded,
				      json_pack("{s:o, s:o, s:o, s:b}", "name", json_text(name),
						"from", json_text(from), "version",
						json_text(version), "security", security));
}

static void collect_packages(struct change_report *r)
{
	const struct package_set *set = packages_set(r->change.fetch);

	for (size_t i = 0; i < set->package_count; i++) {
		const struct package *package = &set->packages[i];

		report_package(r, package->name, change_version(&r->change, package->name),
			       package->version, is_security(package));
	}
	for (char *const *name = set->removed; name && *name; name++)
		add_versions(r->removed, *name, change_version(&r->change, *name));
}

/* What the publisher's next generation has in place of the rootfs's packages. Which are security
 * updates, its lock does not say. */
static void collect_generation(struct change_report *r)
{
	const struct manifest *now = r->change.manifest, *next = r->change.next;

	for (size_t i = 0; i < next->package_count; i++) {
		const struct manifest_package *package = &next->packages[i];
		const char *from = manifest_version(now, package->name);

		if (!from || strcmp(from, package->version) != 0)
			report_package(r, package->name, from, package->version, false);
	}
	for (size_t i = 0; i < now->package_count; i++)
		if (!manifest_version(next, now->packages[i].name))
			add_versions(r->removed, now->packages[i].name, now->packages[i].version);
}

static void report_collect(struct change_report *r)
{
	const struct package_set *set = packages_set(r->change.fetch);

	if (change_is_empty(&r->change))
		return;
	for (size_t i = 0; i < set->package_count; i++)
		r->bytes += set->packages[i].size;
	if (r->change.next)
		collect_generation(r);
	else
		collect_packages(r);
}

/* --- text --- */

static const char *change_text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

static void change_print_packages(const char *title, const json_t *list)
{
	const json_t *package;
	size_t i;

	if (json_array_size(list))
		printf("%s:\n", title);
	json_array_foreach(list, i, package)
	{
		const char *from = json_string_value(json_object_get(package, "from"));

		printf("  %s %s%s%s%s\n", change_text_of(package, "name"), from ? from : "",
		       from ? " -> " : "", change_text_of(package, "version"),
		       json_is_true(json_object_get(package, "security")) ? " (security)" : "");
	}
}

static void print_plan(const struct change_report *r)
{
	char size[TEXT_SIZE_LEN];

	if (r->change.profile_lost)
		style_print(stdout, STYLE_PLAIN, "Ignoring the profile %s: %s\n",
			    r->change.manifest->profile, r->change.profile_lost);
	change_print_packages("Install", r->installed);
	change_print_packages("Upgrade", r->upgraded);
	change_print_packages("Remove", r->removed);
	if (r->bytes)
		printf("%s to download: %s, unless cached\n",
		       r->change.next ? "Pieces" : "Packages", text_size(r->bytes, size));
	fflush(stdout);
}

static void print_changed(const struct change_report *r)
{
	const struct package_change *c = &r->change;
	char took[TEXT_DURATION_LEN];

	text_duration((uint64_t)(time(NULL) - r->began), took);
	if (c->next)
		printf("Replaced %s/%s with generation %u of %s, in %s.\n", c->parent, c->base,
		       c->next->published_generation, c->next->published, took);
	else
		printf("Changed %s/%s: %zu installed, %zu upgraded, %zu removed, in %s. "
		       "This is generation %u.\n",
		       c->parent, c->base, json_array_size(r->installed),
		       json_array_size(r->upgraded), json_array_size(r->removed), took,
		       c->manifest->generation);
	if (c->request->keep_old)
		printf("The rootfs before it is %s/%s" PREVIOUS_SUFFIX
		       "; to go back, run: rootlet upgrade --rollback%s%s\n",
		       c->parent, c->base,
		       c->request->path	  ? " --path "
		       : c->request->name ? " --name "
					  : "",
		       c->request->path	  ? c->request->path
		       : c->request->name ? c->request->name
					  : "");
}

static void print_unchanged(const struct change_report *r)
{
	const struct package_change *c = &r->change;

	printf("%s/%s ", c->parent, c->base);
	if (change_is_empty(c) && c->next)
		printf("is up to date: generation %u of %s.\n", c->next->published_generation,
		       c->next->published);
	else if (change_is_empty(c))
		puts(c->request->base == BASE_UPGRADED ? "is up to date."
						       : "has all of this already.");
	else if (c->next)
		printf("is not up to date: it is generation %u of %s, and the newest is %u.\n",
		       c->manifest->published_generation, c->next->published,
		       c->next->published_generation);
	else
		printf("is not up to date: %zu to install, %zu to upgrade, %zu to remove.\n",
		       json_array_size(r->installed), json_array_size(r->upgraded),
		       json_array_size(r->removed));
}

static void print_outcome(const struct change_report *r)
{
	if (r->applied)
		print_changed(r);
	else if (change_is_empty(&r->change) || r->change.request->base == BASE_UPGRADED)
		print_unchanged(r);
	fflush(stdout);
}

/* --- JSON --- */

static json_t *change_describe(const struct package_change *c)
{
	_cleanup_free_ char *path = c->base ? store_join(c->parent, c->base) : NULL;

	return json_pack("{s:o}", "path", json_text(path));
}

/* The generation of a rootfs that follows its publisher, before and after. */
static json_t *outcome_published(const struct package_change *c)
{
	if (!c->next)
		return json_null();
	return json_pack("{s:o, s:I, s:I}", "name", json_text(c->next->published), "from",
			 (json_int_t)c->manifest->published_generation, "generation",
			 (json_int_t)c->next->published_generation);
}

static json_t *change_outcome(const struct change_report *r)
{
	json_t *outcome = change_describe(&r->change);
	const struct manifest *m =
		r->applied && r->change.next ? r->change.next : r->change.manifest;

	json_object_set_new(outcome, "generation", json_integer((json_int_t)m->generation));
	json_object_set_new(outcome, "published", outcome_published(&r->change));
	json_object_set_new(outcome, "changed", json_boolean(r->applied));
	json_object_set(outcome, "installed", r->installed);
	json_object_set(outcome, "upgraded", r->upgraded);
	json_object_set(outcome, "removed", r->removed);
	json_object_set_new(outcome, "profile_lost", json_text(r->change.profile_lost));
	json_object_set_new(outcome, "seconds", json_integer((json_int_t)(time(NULL) - r->began)));
	return outcome;
}

/* --- */

static int plan_and_apply(struct change_report *r, bool only_plan, bool json, struct error **err)
{
	if (change_plan(&r->change, err) < 0)
		return -1;
	report_collect(r);
	if (!json && !r->quiet) {
		progress_end(r->change.progress);
		print_plan(r);
	}
	if (only_plan || change_is_empty(&r->change))
		return 0;
	r->applied = true;
	return change_apply(&r->change, err);
}

/* Reports ERR, of the rootfs NAME if there are several. OUTCOME, unless NULL, becomes its object.
 */
static int change_fail(struct change_report *r, const struct parsed_line *line, const char *name,
		       struct error *err, json_t **outcome)
{
	int status;

	progress_end(r->change.progress);
	/* The helper removes its staging tree when it stops; report the error after that. */
	helper_stop(&r->change.helper);
	if (name)
		error_wrap(&err, "%s", name);
	status = report_error(line->name, err);
	if (outcome) {
		*outcome = change_describe(&r->change);
		json_object_set_new(*outcome, "error", json_error(err));
	}
	error_free(&err);
	return status;
}

/* Changes the rootfs NAME, or if that is NULL, the line's. */
static int change_one(const struct parsed_line *line, const char *name,
		      struct change_request *request, bool only_plan, int due, json_t **outcome)
{
	_cleanup_(report_clear) struct change_report r = {
		.change.request = request,
		.change.parent_fd = -1,
		.installed = json_array(),
		.upgraded = json_array(),
		.removed = json_array(),
		.quiet = line_has(line, OPTION_QUIET),
		.began = time(NULL),
	};
	struct error *err = NULL;

	request->purpose = line->name;
	request->name = name ? name : line_value(line, OPTION_NAME);
	request->path = name ? NULL : line_value(line, OPTION_PATH);
	request->archive_named = line_has(line, OPTION_MIRROR) ||
				 line_has(line, OPTION_COMPONENTS) ||
				 line_has(line, OPTION_REPOSITORY);
	if (line_has(line, OPTION_KEYRING))
		request->publisher_keyring = line_value(line, OPTION_KEYRING);
	if (source_line_read(line, &r.words, &request->source, &err) < 0)
		return change_fail(&r, line, name, err, outcome);
	r.change.progress = progress_new(r.quiet   ? PROGRESS_QUIET
					 : outcome ? PROGRESS_JSON
						   : PROGRESS_STDOUT);
	if (name)
		progress_note(r.change.progress, "%s of %s:", line->name, name);
	if (plan_and_apply(&r, only_plan, outcome, &err) < 0)
		return change_fail(&r, line, name, err, outcome);
	if (outcome)
		*outcome = change_outcome(&r);
	else if (!r.quiet)
		print_outcome(&r);
	return only_plan && !change_is_empty(&r.change) ? due : EXIT_OK;
}

int change_run(const struct parsed_line *line, struct change_request *request, bool only_plan,
	       int due)
{
	const bool json = line_has(line, OPTION_JSON);
	json_t *outcome = NULL;
	int status = change_one(line, NULL, request, only_plan, due, json ? &outcome : NULL);

	return json ? event_result(outcome, status) : status;
}

/* Whether NAME is the old rootfs of another one: its upgrade would replace what --rollback needs.
 */
static bool is_previous(char *const *names, const char *name)
{
	size_t length = strlen(name), suffix = strlen(PREVIOUS_SUFFIX);

	if (length <= suffix || strcmp(name + length - suffix, PREVIOUS_SUFFIX) != 0)
		return false;
	for (; *names; names++)
		if (strlen(*names) == length - suffix &&
		    strncmp(*names, name, length - suffix) == 0)
			return true;
	return false;
}

int change_run_all(const struct parsed_line *line, struct change_request *request, bool only_plan,
		   int due)
{
	const bool json = line_has(line, OPTION_JSON);
	_cleanup_(words_freep) char **names = NULL;
	_cleanup_free_ char *store = NULL;
	_cleanup_error_ struct error *err = NULL;
	json_t *all = json_array();
	int worst = EXIT_OK;

	if (store_list(&store, &names, &err) < 0)
		worst = report_error(line->name, err);
	for (char **name = names; name && *name && worst != EXIT_INTERRUPTED; name++) {
		json_t *outcome = NULL;
		int status;

		if (is_previous(names, *name))
			continue;
		status = change_one(line, *name, request, only_plan, due, json ? &outcome : NULL);
		if (json) {
			json_object_set_new(outcome, "name", json_text(*name));
			json_object_set_new(outcome, "exit_status", json_integer(status));
			json_array_append_new(all, outcome);
		}
		worst = status > worst ? status : worst;
	}
	if (json && err)
		return event_failure(json_pack("{s:o}", "rootfs", all), err, worst);
	if (json)
		return event_result(json_pack("{s:o}", "rootfs", all), worst);
	json_decref(all);
	if (!err && !names && !line_has(line, OPTION_QUIET))
		printf("No rootfs in %s; create one with: rootlet create\n", store);
	return worst;
}
