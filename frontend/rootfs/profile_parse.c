/* Parses the text of a profile into its struct, and checks each value as it is read. */
#include "frontend/rootfs/profile_parse.h"

#include <stdbool.h>
#include <string.h>

#include "frontend/archive/package_words.h"
#include "frontend/archive/source.h"
#include "frontend/cli/word_list.h"
#include "lib/error_wrap.h"
#include "proto/validate.h"

/* inih truncates a section name at 49 bytes, including "packages ". */
#define RELEASES_MAX 40

struct profile_parser {
	struct profile *profile;
	struct ini_text ini; /* its path lives as long as the profile */
	profile_extend *extend;
	void *context;
	bool extended, suites_given;
};

/* Adds the words of VALUE that are not in WORDS yet. */
static int profile_parse_words(struct ini_text *t, const char *value, const char *what, size_t most,
			       bool (*valid)(const char *), char ***words, size_t *count)
{
	char **taken = ini_words(t, value, what, valid);

	for (char **word = taken; word && *word; word++)
		if (*count >= most)
			ini_complain(t, "more than %zu words", most);
		else if (words_add(words, count, *word) < 0)
			ini_complain(t, "out of memory");
	words_free(taken);
	return !t->error;
}

static int parse_id(struct profile_parser *p, const char *value, uint32_t *id)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n > UINT32_MAX ||
	    !valid_account_id((uint32_t)n))
		return ini_complain(&p->ini, "\"%s\" is not an id between 1 and %d", value,
				    ID_MAX_IN_ROOTFS);
	if (*id)
		return ini_complain(&p->ini, "given twice");
	*id = (uint32_t)n;
	return 1;
}

static int parse_inner_path(struct profile_parser *p, const char *value, char **path)
{
	if (!valid_inner_path(value))
		return ini_complain(&p->ini, "\"%s\" is not an absolute path in a rootfs", value);
	if (*path)
		return ini_complain(&p->ini, "given twice");
	*path = strdup(value);
	return *path ? 1 : ini_complain(&p->ini, "out of memory");
}

/* The extended profile is read first, so that this one can add to it and override it. */
static int parse_extend(struct profile_parser *p, const char *value)
{
	const struct profile *profile = p->profile;

	if (p->extended)
		return ini_complain(&p->ini, "given twice");
	if (profile->package_count || profile->optional_count || profile->for_release_count ||
	    profile->group_count || profile->user_count)
		return ini_complain(&p->ini, "extend must come before packages, groups and users");
	if (!valid_rootfs_name(value))
		return ini_complain(&p->ini, "\"%.80s\" is not a valid profile name", value);
	p->extended = true;
	if (p->extend(value, p->context, &p->ini.error) == 0)
		return 1;
	error_wrap(&p->ini.error, "%s:%u", p->ini.path, p->ini.line);
	return 0;
}

/* A profile's own releases replace those of the profile it extends. */
static int parse_suites(struct profile_parser *p, const char *value)
{
	struct profile *profile = p->profile;
	size_t count = 0;

	if (!p->suites_given) {
		words_free(profile->suites);
		profile->suites = NULL;
	}
	p->suites_given = true;
	while (profile->suites && profile->suites[count])
		count++;
	return profile_parse_words(&p->ini, value, "release", 64, valid_archive_word,
				   &profile->suites, &count);
}

static int parse_profile_key(struct profile_parser *p, const char *key, const char *value)
{
	struct profile *profile = p->profile;

	if (strcmp(key, "description") == 0) {
		free(profile->description);
		profile->description = strdup(value);
		return profile->description ? 1 : ini_complain(&p->ini, "out of memory");
	}
	if (strcmp(key, "extend") == 0)
		return parse_extend(p, value);
	if (strcmp(key, "suites") == 0)
		return parse_suites(p, value);
	return ini_complain(
		&p->ini,
		"unknown key \"%s\" in [profile]: known are description, extend and suites", key);
}

/* Each word of VALUE is a pattern; their order matters. */
static int parse_files_key(struct profile_parser *p, const char *key, const char *value)
{
	bool include = strcmp(key, "path-include") == 0;
	_cleanup_free_ char *copy = strdup(value);
	struct profile *profile = p->profile;
	char *rest = NULL, *word;

	if (!include && strcmp(key, "path-exclude") != 0)
		return ini_complain(&p->ini,
				    "unknown key \"%s\" in [files]: known are path-exclude and "
				    "path-include",
				    key);
	for (word = copy ? strtok_r(copy, " \t", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t", &rest)) {
		struct path_filter *filter;

		if (!valid_filter_pattern(word))
			return ini_complain(
				&p->ini,
				"\"%.150s\" is not an absolute pattern of less than %d bytes", word,
				FILTER_PATTERN_SIZE);
		if (profile->filter_count == FILTERS_MAX)
			return ini_complain(&p->ini, "more than %d patterns", FILTERS_MAX);
		filter = array_grow(&profile->filters, profile->filter_count, sizeof(*filter));
		if (!filter || !(filter->pattern = strdup(word)))
			return ini_complain(&p->ini, "out of memory");
		filter->include = include;
		profile->filter_count++;
	}
	return copy ? 1 : ini_complain(&p->ini, "out of memory");
}

static int parse_group_key(struct profile_parser *p, const char *name, const char *key,
			   const char *value)
{
	struct account_group *group = profile_group(p->profile, name);

	if (!valid_account_name(name))
		return ini_complain(&p->ini, "\"%s\" is not a valid group name", name);
	if (strcmp(key, "comment") == 0)
		return 1;
	if (strcmp(key, "gid") != 0)
		return ini_complain(
			&p->ini, "unknown key \"%s\" in [group]: known are gid and comment", key);
	if (group && group->file != p->ini.path) {
		group->gid = 0;
		group->file = p->ini.path;
		group->line = p->ini.line;
	}
	if (!group)
		group = profile_add_group(p->profile, name, p->ini.path, p->ini.line);
	return group ? parse_id(p, value, &group->gid) : ini_complain(&p->ini, "out of memory");
}

static int user_start(struct account *user, const char *name, struct profile_parser *p)
{
	*user = (struct account){ .name = strdup(name), .file = p->ini.path, .line = p->ini.line };
	return user->name ? 0 : -1;
}

/* The user of this section. A user of the same name from an extended profile is reset. */
static struct account *user_of(struct profile_parser *p, const char *name)
{
	struct profile *profile = p->profile;
	struct account *user;

	for (size_t i = 0; i < profile->user_count; i++) {
		user = &profile->users[i];
		if (strcmp(user->name, name) != 0)
			continue;
		if (user->file == p->ini.path)
			return user;
		account_clear(user);
		return user_start(user, name, p) < 0 ? NULL : user;
	}
	user = array_grow(&profile->users, profile->user_count, sizeof(*user));
	if (!user || user_start(user, name, p) < 0)
		return NULL;
	profile->user_count++;
	return user;
}

static int parse_user_key(struct profile_parser *p, const char *name, const char *key,
			  const char *value)
{
	struct account *user;

	if (!valid_account_name(name))
		return ini_complain(&p->ini, "\"%s\" is not a valid user name", name);
	user = user_of(p, name);
	if (!user)
		return ini_complain(&p->ini, "out of memory");
	if (strcmp(key, "uid") == 0)
		return parse_id(p, value, &user->uid);
	if (strcmp(key, "gid") == 0)
		return parse_id(p, value, &user->gid);
	if (strcmp(key, "groups") == 0)
		return profile_parse_words(&p->ini, value, "group name", GROUPS_MAX,
					   valid_account_name, &user->groups, &user->group_count);
	if (strcmp(key, "home") == 0)
		return parse_inner_path(p, value, &user->home);
	if (strcmp(key, "shell") == 0)
		return parse_inner_path(p, value, &user->shell);
	if (strcmp(key, "comment") == 0)
		return 1;
	return ini_complain(
		&p->ini,
		"unknown key \"%s\" in [user]: known are uid, gid, groups, home, shell and "
		"comment",
		key);
}

static int add_packages(struct profile_parser *p, const char *key, const char *value,
			struct release_packages *to)
{
	bool optional = strcmp(key, "optional") == 0;

	return profile_parse_words(&p->ini, value, "package name", PACKAGES_MAX,
				   valid_package_choice, optional ? &to->optional : &to->packages,
				   optional ? &to->optional_count : &to->package_count);
}

/* Reject unknown releases: a typo would silently drop the packages listed for them. */
static bool check_releases(struct profile_parser *p, const char *releases)
{
	_cleanup_free_ char *copy = strdup(releases);
	char *rest = NULL, *word = copy ? strtok_r(copy, " ", &rest) : NULL;

	if (!word)
		return ini_complain(&p->ini, "[packages RELEASE...] names no release");
	if (strlen(releases) >= RELEASES_MAX)
		return ini_complain(&p->ini,
				    "too many releases in one section; use several sections");
	for (; word; word = strtok_r(NULL, " ", &rest))
		if (!source_distribution(word))
			return ini_complain(&p->ini,
					    "\"%.60s\" is not a release that rootlet knows", word);
	return true;
}

/* Any key of [packages RELEASE…]. Sections for the same releases, here or in an extended profile,
 * add up. */
static int parse_release_key(struct profile_parser *p, const char *releases, const char *key,
			     const char *value)
{
	struct profile *profile = p->profile;
	struct release_packages *to;

	for (size_t i = 0; i < profile->for_release_count; i++)
		if (strcmp(profile->for_releases[i].releases, releases) == 0)
			return add_packages(p, key, value, &profile->for_releases[i]);
	if (!check_releases(p, releases))
		return 0;
	to = array_grow(&profile->for_releases, profile->for_release_count, sizeof(*to));
	if (!to || !(to->releases = strdup(releases)))
		return ini_complain(&p->ini, "out of memory");
	profile->for_release_count++;
	return add_packages(p, key, value, to);
}

/* Any key of [packages]. */
static int parse_packages_key(struct profile_parser *p, const char *key, const char *value)
{
	struct profile *profile = p->profile;
	struct release_packages all = { NULL, profile->packages, profile->optional,
					profile->package_count, profile->optional_count };
	int r = add_packages(p, key, value, &all);

	profile->packages = all.packages;
	profile->package_count = all.package_count;
	profile->optional = all.optional;
	profile->optional_count = all.optional_count;
	return r;
}

static int profile_parse_key(void *context, const char *section, const char *key, const char *value)
{
	struct profile_parser *p = context;

	if (strcmp(section, "profile") == 0)
		return parse_profile_key(p, key, value);
	if (strcmp(section, "packages") == 0)
		return parse_packages_key(p, key, value);
	if (strncmp(section, "packages ", 9) == 0)
		return parse_release_key(p, section + 9, key, value);
	if (strcmp(section, "files") == 0)
		return parse_files_key(p, key, value);
	if (strncmp(section, "group ", 6) == 0)
		return parse_group_key(p, section + 6, key, value);
	if (strncmp(section, "user ", 5) == 0)
		return parse_user_key(p, section + 5, key, value);
	return ini_complain(
		&p->ini,
		"unknown section [%s]: known are [profile], [packages], [packages RELEASE...], "
		"[files], [group NAME] and [user NAME]",
		section);
}

int profile_parse(struct profile *profile, const char *file, const char *text,
		  profile_extend *extend, void *context, struct error **err)
{
	struct profile_parser p = {
		.profile = profile,
		.ini = { .path = file, .text = text, .handler = profile_parse_key, .context = &p },
		.extend = extend,
		.context = context,
	};

	return ini_text_parse(&p.ini, err);
}
