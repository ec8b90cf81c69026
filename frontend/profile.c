#include "frontend/profile.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/paths.h"
#include "frontend/tree.h"
#include "policy/ini_text.h"
#include "proto/validate.h"

#define PROFILE_BYTES_MAX (256 * 1024)

struct parser {
	struct profile *profile;
	struct ini_text ini;
};

static int parse_id(const struct parser *p, const char *value, uint32_t *id)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n > UINT32_MAX ||
	    !valid_account_id((uint32_t)n))
		return ini_complain(&p->ini, "\"%s\" is no id between 1 and %d", value,
				    ID_MAX_IN_ROOTFS);
	if (*id)
		return ini_complain(&p->ini, "given twice");
	*id = (uint32_t)n;
	return 1;
}

static int parse_inner_path(const struct parser *p, const char *value, char **path)
{
	if (!valid_inner_path(value))
		return ini_complain(&p->ini, "\"%s\" is no absolute path of a rootfs", value);
	if (*path)
		return ini_complain(&p->ini, "given twice");
	*path = strdup(value);
	return *path ? 1 : ini_complain(&p->ini, "out of memory");
}

static int parse_profile_key(const struct parser *p, const char *key, const char *value)
{
	struct profile *profile = p->profile;
	size_t count = 0;

	if (strcmp(key, "description") == 0) {
		free(profile->description);
		profile->description = strdup(value);
		return profile->description ? 1 : ini_complain(&p->ini, "out of memory");
	}
	if (strcmp(key, "suites") == 0) {
		while (profile->suites && profile->suites[count])
			count++;
		return ini_add_words(&p->ini, value, "release", 64, valid_archive_word,
				     &profile->suites, &count);
	}
	return ini_complain(&p->ini,
			    "unknown key \"%s\" in [profile]: it has description and suites", key);
}

static struct account_group *group_named(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return &p->groups[i];
	return NULL;
}

static struct account_group *group_add(struct profile *p, const char *name, unsigned line)
{
	struct account_group *group = array_grow(&p->groups, p->group_count, sizeof(*group));

	if (!group || !(group->name = strdup(name)))
		return NULL;
	group->line = line;
	p->group_count++;
	return group;
}

static int parse_group_key(const struct parser *p, const char *name, const char *key,
			   const char *value)
{
	struct account_group *group = group_named(p->profile, name);

	if (!valid_account_name(name))
		return ini_complain(&p->ini, "\"%s\" is no name for a group", name);
	if (strcmp(key, "comment") == 0)
		return 1;
	if (strcmp(key, "gid") != 0)
		return ini_complain(&p->ini,
				    "unknown key \"%s\" of a group: it has gid and comment", key);
	if (!group)
		group = group_add(p->profile, name, p->ini.line);
	return group ? parse_id(p, value, &group->gid) : ini_complain(&p->ini, "out of memory");
}

static struct account *user_of(struct profile *p, const char *name, unsigned line)
{
	struct account *user;

	for (size_t i = 0; i < p->user_count; i++)
		if (strcmp(p->users[i].name, name) == 0)
			return &p->users[i];
	user = array_grow(&p->users, p->user_count, sizeof(*user));
	if (!user || !(user->name = strdup(name)))
		return NULL;
	user->line = line;
	p->user_count++;
	return user;
}

static int parse_user_key(const struct parser *p, const char *name, const char *key,
			  const char *value)
{
	struct account *user;

	if (!valid_account_name(name))
		return ini_complain(&p->ini, "\"%s\" is no name for a user", name);
	user = user_of(p->profile, name, p->ini.line);
	if (!user)
		return ini_complain(&p->ini, "out of memory");
	if (strcmp(key, "uid") == 0)
		return parse_id(p, value, &user->uid);
	if (strcmp(key, "gid") == 0)
		return parse_id(p, value, &user->gid);
	if (strcmp(key, "groups") == 0)
		return ini_add_words(&p->ini, value, "name for a group", GROUPS_MAX,
				     valid_account_name, &user->groups, &user->group_count);
	if (strcmp(key, "home") == 0)
		return parse_inner_path(p, value, &user->home);
	if (strcmp(key, "shell") == 0)
		return parse_inner_path(p, value, &user->shell);
	if (strcmp(key, "comment") == 0)
		return 1;
	return ini_complain(
		&p->ini,
		"unknown key \"%s\" of a user: it has uid, gid, groups, home, shell and "
		"comment",
		key);
}

static int parse_key(void *context, const char *section, const char *key, const char *value)
{
	struct parser *p = context;

	if (strcmp(section, "profile") == 0)
		return parse_profile_key(p, key, value);
	if (strcmp(section, "packages") == 0)
		return ini_add_words(&p->ini, value, "name for a package", PACKAGES_MAX,
				     valid_package_name, &p->profile->packages,
				     &p->profile->package_count);
	if (strncmp(section, "group ", 6) == 0)
		return parse_group_key(p, section + 6, key, value);
	if (strncmp(section, "user ", 5) == 0)
		return parse_user_key(p, section + 5, key, value);
	return ini_complain(
		&p->ini,
		"unknown section [%s]: there are [profile], [packages], [group NAME] and "
		"[user NAME]",
		section);
}

/* The group that USER's gid is to mean: a declared one, or one of its own. */
static int complete_primary_group(struct profile *p, const struct account *user, struct error **err)
{
	struct account_group *group;

	for (size_t i = 0; i < p->group_count; i++)
		if (p->groups[i].gid == user->gid)
			return 0;
	if (group_named(p, user->name))
		return error_set(err, ERR_INPUT,
				 "%s:%u: user %s has gid %u, but group %s has another; "
				 "declare a group with gid %u",
				 p->path, user->line, user->name, user->gid, user->name, user->gid);
	group = group_add(p, user->name, user->line);
	if (!group)
		return error_set(err, ERR_SPACE, "out of memory");
	group->gid = user->gid;
	return 0;
}

static int complete_user(struct profile *p, struct account *user, struct error **err)
{
	if (!user->uid)
		return error_set(err, ERR_INPUT, "%s:%u: user %s has no uid", p->path, user->line,
				 user->name);
	if (!user->gid)
		user->gid = user->uid;
	for (const struct account *other = p->users; other < user; other++)
		if (other->uid == user->uid)
			return error_set(err, ERR_INPUT,
					 "%s:%u: users %s and %s have the same uid %u", p->path,
					 user->line, other->name, user->name, user->uid);
	if (!user->home && asprintf(&user->home, "/home/%s", user->name) < 0)
		user->home = NULL;
	if (!user->shell)
		user->shell = strdup("/bin/bash");
	if (!user->home || !user->shell)
		return error_set(err, ERR_SPACE, "out of memory");
	return complete_primary_group(p, user, err);
}

/* What only the whole file can tell: missing ids, ids given twice, groups that nobody declares. */
static int complete(struct profile *p, struct error **err)
{
	for (size_t i = 0; i < p->group_count; i++)
		for (size_t j = 0; j < i; j++)
			if (p->groups[i].gid == p->groups[j].gid)
				return error_set(err, ERR_INPUT,
						 "%s:%u: groups %s and %s have the same gid %u",
						 p->path, p->groups[i].line, p->groups[j].name,
						 p->groups[i].name, p->groups[i].gid);
	for (size_t i = 0; i < p->user_count; i++)
		if (complete_user(p, &p->users[i], err) < 0)
			return -1;
	for (size_t i = 0; i < p->user_count; i++)
		for (size_t j = 0; j < p->users[i].group_count; j++)
			if (!group_named(p, p->users[i].groups[j]))
				return error_set(err, ERR_INPUT,
						 "%s:%u: user %s is to be in group %s, "
						 "which no section declares",
						 p->path, p->users[i].line, p->users[i].name,
						 p->users[i].groups[j]);
	return 0;
}

static int parse(struct profile *profile, const char *text, struct error **err)
{
	struct parser p = {
		.profile = profile,
		.ini = { .path = profile->path, .text = text, .err = err },
	};

	if (ini_text_parse(&p.ini, parse_key, &p) < 0)
		return -1;
	return complete(profile, err);
}

static int hash(const char *text, size_t size, char hex[static 65])
{
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text, size, sum, NULL, EVP_sha256(), NULL) != 1)
		return -1;
	sha256_to_hex(sum, hex);
	return 0;
}

/* The first of the profile's places that has it. */
static char *find(const char *name, struct error **err)
{
	_cleanup_free_ char *file = NULL, *own = NULL, *ours = NULL;

	if (asprintf(&file, "profiles/%s.conf", name) < 0) {
		file = NULL;
		error_set(err, ERR_SPACE, "out of memory");
		return NULL;
	}
	own = paths_config(file, err);
	if (!own)
		return NULL;
	if (access(own, F_OK) == 0)
		return STEAL_PTR(own);
	ours = paths_policy(file, err);
	if (ours && access(ours, F_OK) == 0)
		return STEAL_PTR(ours);
	if (ours)
		error_set(err, ERR_MISSING, "no profile \"%s\": neither %s nor %s is there", name,
			  own, ours);
	return NULL;
}

int profile_load(const char *name, struct profile **out, struct error **err)
{
	_cleanup_(profile_free) struct profile *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!valid_rootfs_name(name))
		return error_set(err, ERR_INPUT, "\"%.80s\" is no name for a profile", name);
	if (!p || !(p->name = strdup(name)))
		return error_set(err, ERR_SPACE, "out of memory");
	p->path = find(name, err);
	if (!p->path)
		return -1;
	text = file_read(p->path, PROFILE_BYTES_MAX, &size, err);
	if (!text)
		return -1;
	if (strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: has NUL bytes", p->path);
	if (hash(text, size, p->sha256) < 0)
		return error_set(err, ERR_SYSTEM, "cannot hash %s", p->path);
	if (parse(p, text, err) < 0)
		return -1;
	*out = STEAL_PTR(p);
	return 0;
}

int profile_add_package(struct profile *p, const char *package, struct error **err)
{
	if (!valid_package_name(package))
		return error_set(err, ERR_INPUT, "\"%.120s\" is no name for a package", package);
	if (words_add(&p->packages, &p->package_count, package) < 0)
		return error_set(err, ERR_SPACE, "out of memory");
	return 0;
}

void account_clear(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	words_free(a->groups);
}

void profile_free(struct profile **p)
{
	struct profile *profile = *p;

	if (!profile)
		return;
	for (size_t i = 0; i < profile->group_count; i++)
		free(profile->groups[i].name);
	for (size_t i = 0; i < profile->user_count; i++)
		account_clear(&profile->users[i]);
	free(profile->groups);
	free(profile->users);
	words_free(profile->suites);
	words_free(profile->packages);
	free(profile->name);
	free(profile->path);
	free(profile->description);
	free(profile);
	*p = NULL;
}
