/* rootlet profiles: shows and checks the profiles that a rootfs is created with. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/style.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/profile_load.h"
#include "frontend/rootfs/profile_places.h"

enum { VERB_LIST = OPTION_OWN, VERB_SHOW, VERB_CHECK };

static const struct option_row profiles_rows[] = {
	{ "list", NULL, VERB_LIST, "list all profiles", .preset = true },
	{ "show", "PROFILE", VERB_SHOW,
	  "show one profile, including what it inherits from those it extends" },
	{ "check", "FILE", VERB_CHECK, "find errors in a profile" },
	JSON_ROW(JSON_BY_VERB),
	{ NULL },
};

static json_t *describe_user(const struct account *u)
{
	return json_pack("{s:o, s:i, s:i, s:o, s:o, s:o}", "name", json_text(u->name), "uid",
			 (int)u->uid, "gid", (int)u->gid, "groups", json_words(u->groups), "home",
			 json_text(u->home), "shell", json_text(u->shell));
}

static const char *profiles_rule_of(const struct path_filter *filter)
{
	return filter->include ? "path-include" : "path-exclude";
}

static json_t *list_for_releases(const struct profile *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->for_release_count; i++) {
		const struct release_packages *r = &p->for_releases[i];

		json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "releases",
						       json_text(r->releases), "packages",
						       json_words(r->packages), "optional",
						       json_words(r->optional)));
	}
	return array;
}

static json_t *profiles_describe(const struct profile *p)
{
	json_t *files = json_array(), *groups = json_array(), *users = json_array();

	for (size_t i = 0; i < p->filter_count; i++)
		json_array_append_new(files, json_pack("{s:s, s:o}", "rule",
						       profiles_rule_of(&p->filters[i]), "pattern",
						       json_text(p->filters[i].pattern)));
	for (size_t i = 0; i < p->group_count; i++)
		json_array_append_new(groups,
				      json_pack("{s:o, s:i}", "name", json_text(p->groups[i].name),
						"gid", (int)p->groups[i].gid));
	for (size_t i = 0; i < p->user_count; i++)
		json_array_append_new(users, describe_user(&p->users[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			 json_text(p->name), "path", json_text(p->path), "description",
			 json_text(p->description), "extends", json_text(p->extends), "sha256",
			 p->sha256, "suites", json_words(p->suites), "packages",
			 json_words(p->packages), "optional", json_words(p->optional),
			 "for_releases", list_for_releases(p), "files", files, "groups", groups,
			 "users", users);
}

static void print_words(const char *key, char *const *words)
{
	if (!words || !*words)
		return;
	printf("%s =", key);
	for (; *words; words++)
		printf(" %s", *words);
	putchar('\n');
}

/* Breaks lines so that ini_text.h can read them. */
static void print_packages(const char *key, char *const *packages)
{
	for (size_t i = 0; packages && packages[i]; i++)
		printf("%s%s", i == 0 ? key : i % 8 ? " " : "\n\t", packages[i]);
	if (packages)
		putchar('\n');
}

/* Prints a profile that can be read again. What it inherits is included. */
static void print_profile(const struct profile *p)
{
	printf("; %s", p->path);
	if (p->extends)
		printf(", which extends %s", p->extends);
	puts("\n[profile]");
	printf("description = %s\n", p->description ? p->description : p->name);
	print_words("suites", p->suites);
	if (p->package_count || p->optional_count)
		puts("\n[packages]");
	print_packages("all = ", p->packages);
	print_packages("optional = ", p->optional);
	for (size_t i = 0; i < p->for_release_count; i++) {
		printf("\n[packages %s]\n", p->for_releases[i].releases);
		print_packages("all = ", p->for_releases[i].packages);
		print_packages("optional = ", p->for_releases[i].optional);
	}
	if (p->filter_count)
		puts("\n[files]");
	for (size_t i = 0; i < p->filter_count; i++)
		printf("%s = %s\n", profiles_rule_of(&p->filters[i]), p->filters[i].pattern);
	for (size_t i = 0; i < p->group_count; i++)
		printf("\n[group %s]\ngid = %u\n", p->groups[i].name, p->groups[i].gid);
	for (size_t i = 0; i < p->user_count; i++) {
		const struct account *u = &p->users[i];

		printf("\n[user %s]\nuid = %u\ngid = %u\nhome = %s\nshell = %s\n", u->name, u->uid,
		       u->gid, u->home, u->shell);
		print_words("groups", u->groups);
	}
}

/* Counts the packages for all releases together. */
static size_t package_count(const struct profile *p)
{
	size_t count = p->package_count + p->optional_count;

	for (size_t i = 0; i < p->for_release_count; i++)
		count += p->for_releases[i].package_count + p->for_releases[i].optional_count;
	return count;
}

static void profiles_print_row(const struct profile_place *place, const struct profile *p)
{
	printf("%-16s %-9s %8zu %5zu  %s\n", place->name, place->own ? "yours" : "built in",
	       package_count(p), p->user_count, p->description ? p->description : "");
}

static json_t *describe_row(const struct profile_place *place, const struct profile *p)
{
	json_t *row = p ? profiles_describe(p) : json_object();

	json_object_set_new(row, "name", json_text(place->name));
	json_object_set_new(row, "path", json_text(place->path));
	json_object_set_new(row, "own", json_boolean(place->own));
	return row;
}

/* An invalid profile gets a row with its error, and the others are still listed. */
static void profiles_list_one(const struct profile_place *place, json_t *array)
{
	_cleanup_(profile_free) struct profile *p = NULL;
	_cleanup_error_ struct error *err = NULL;
	json_t *row;

	if (profile_load(place->name, &p, &err) < 0 && !array)
		style_print(stdout, STYLE_BAD, "%-16s invalid: %s\n", place->name, error_text(err));
	else if (!array)
		profiles_print_row(place, p);
	if (!array)
		return;
	row = describe_row(place, p);
	if (!p)
		json_object_set_new(row, "error", json_text(error_text(err)));
	json_array_append_new(array, row);
}

static int profiles_list(const char *unused, bool json, struct error **err)
{
	struct profile_place *places;
	json_t *array = json ? json_array() : NULL;
	size_t count;
	int r = profile_list(&places, &count, err);

	(void)unused;
	if (!json)
		style_print(stdout, STYLE_HEADING, "%-16s %-9s %8s %5s  %s\n", "PROFILE", "ORIGIN",
			    "PACKAGES", "USERS", "DESCRIPTION");
	for (size_t i = 0; r == 0 && i < count; i++)
		profiles_list_one(&places[i], array);
	profile_list_free(places, count);
	if (r == 0 && json)
		document_print(json_incref(array));
	json_decref(array);
	return r;
}

static int profiles_show(const char *name, bool json, struct error **err)
{
	_cleanup_(profile_free) struct profile *p = NULL;

	if (profile_load(name, &p, err) < 0)
		return -1;
	if (json)
		document_print(profiles_describe(p));
	else
		print_profile(p);
	return 0;
}

static int profiles_check(const char *path, bool json, struct error **err)
{
	_cleanup_(profile_free) struct profile *p = NULL;

	if (profile_load_file(path, &p, err) < 0)
		return -1;
	if (json)
		document_print(profiles_describe(p));
	else
		printf("%s is valid: %zu packages, %zu groups, %zu users\n", path, package_count(p),
		       p->group_count, p->user_count);
	return 0;
}

static int command_profiles(const struct parsed_line *line)
{
	int (*run)(const char *word, bool json, struct error **err) =
		line->verb == VERB_SHOW	   ? profiles_show
		: line->verb == VERB_CHECK ? profiles_check
					   : profiles_list;
	_cleanup_error_ struct error *err = NULL;
	bool json = line_has(line, OPTION_JSON);
	int status;

	if (run(line->operands[0], json, &err) == 0)
		return EXIT_OK;
	status = report_error(line->name, err);
	return json ? document_failure(err, status) : status;
}

const struct command profiles_command = {
	.name = "profiles",
	.summary = "show and check the profiles that a rootfs is created with",
	.about = "Shows the profiles that a rootfs can be created with, and checks your own. Those "
		 "are in ~/.config/rootlet/profiles/NAME.conf: see man rootlet-profile.",
	.statuses = "0 shown, or valid; 1 no such profile; 2 wrong command line, or the profile is "
		    "not valid.",
	.rows = profiles_rows,
	.run = command_profiles,
};
