#include "frontend/rootfs/profile.h"

#include <openssl/evp.h>
#include <string.h>

#include "frontend/rootfs/profile_parse.h"
#include "frontend/rootfs/profile_places.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "proto/validate.h"

#define PROFILE_BYTES_MAX (256 * 1024)

/* How many profiles may extend one another; also what ends a circle of them. */
#define EXTEND_MAX 8

struct account_group *profile_group(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return &p->groups[i];
	return NULL;
}

struct account_group *profile_add_group(struct profile *p, const char *name, const char *file,
					unsigned line)
{
	struct account_group *group = array_grow(&p->groups, p->group_count, sizeof(*group));

	if (!group || !(group->name = strdup(name)))
		return NULL;
	group->file = file;
	group->line = line;
	p->group_count++;
	return group;
}

/* The group that USER's gid is to mean: a declared one, or one of its own. */
static int complete_primary_group(struct profile *p, const struct account *user, struct error **err)
{
	struct account_group *group;

	for (size_t i = 0; i < p->group_count; i++)
		if (p->groups[i].gid == user->gid)
			return 0;
	if (profile_group(p, user->name))
		return error_set(err, ERR_INPUT,
				 "%s:%u: user %s has gid %u, but group %s has another; "
				 "declare a group with gid %u",
				 user->file, user->line, user->name, user->gid, user->name,
				 user->gid);
	group = profile_add_group(p, user->name, user->file, user->line);
	if (!group)
		return error_set(err, ERR_SPACE, "out of memory");
	group->gid = user->gid;
	return 0;
}

static int complete_user(struct profile *p, struct account *user, struct error **err)
{
	if (!user->uid)
		return error_set(err, ERR_INPUT, "%s:%u: user %s has no uid", user->file,
				 user->line, user->name);
	if (!user->gid)
		user->gid = user->uid;
	for (const struct account *other = p->users; other < user; other++)
		if (other->uid == user->uid)
			return error_set(err, ERR_INPUT,
					 "%s:%u: users %s and %s have the same uid %u", user->file,
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
						 p->groups[i].file, p->groups[i].line,
						 p->groups[j].name, p->groups[i].name,
						 p->groups[i].gid);
	for (size_t i = 0; i < p->user_count; i++)
		if (complete_user(p, &p->users[i], err) < 0)
			return -1;
	for (size_t i = 0; i < p->user_count; i++)
		for (size_t j = 0; j < p->users[i].group_count; j++)
			if (!profile_group(p, p->users[i].groups[j]))
				return error_set(err, ERR_INPUT,
						 "%s:%u: user %s is to be in group %s, "
						 "which no section declares",
						 p->users[i].file, p->users[i].line,
						 p->users[i].name, p->users[i].groups[j]);
	return 0;
}

/* A profile and what it extends, read one inside the other. */
struct loading {
	struct profile *profile;
	EVP_MD_CTX *hash; /* of all their texts */
};

static void hash_freep(EVP_MD_CTX **hash)
{
	EVP_MD_CTX_free(*hash);
}

static int read_extended(const char *name, void *context, struct error **err);

/* The first file is the profile itself; a NUL, which no text holds, parts its text from the next.
 */
static int read_file(struct loading *l, const char *path, struct error **err)
{
	struct profile *p = l->profile;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (words_add(&p->files, &p->file_count, path) < 0)
		return error_set(err, ERR_SPACE, "out of memory");
	text = file_read(path, PROFILE_BYTES_MAX, &size, err);
	if (!text)
		return -1;
	if (strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: has NUL bytes", path);
	if ((p->file_count > 1 && EVP_DigestUpdate(l->hash, "", 1) != 1) ||
	    EVP_DigestUpdate(l->hash, text, size) != 1)
		return error_set(err, ERR_SYSTEM, "cannot hash %s", path);
	return profile_parse(p, p->files[p->file_count - 1], text, read_extended, l, err);
}

/* What was said already, before the profile that is extended, stays said. */
static int read_beneath(struct loading *l, const char *path, struct error **err)
{
	struct profile *p = l->profile;
	char *description = STEAL_PTR(p->description), **suites = STEAL_PTR(p->suites);
	int r = read_file(l, path, err);

	if (description) {
		free(p->description);
		p->description = description;
	}
	if (suites) {
		words_free(p->suites);
		p->suites = suites;
	}
	return r;
}

static int read_extended(const char *name, void *context, struct error **err)
{
	struct loading *l = context;
	struct profile *p = l->profile;
	_cleanup_free_ char *path = profile_find(name, err);

	if (!path)
		return -1;
	for (size_t i = 0; i < p->file_count; i++)
		if (strcmp(p->files[i], path) == 0)
			return error_set(err, ERR_INPUT, "profile %s extends itself", name);
	if (p->file_count == EXTEND_MAX)
		return error_set(err, ERR_INPUT, "more than %d profiles extend one another",
				 EXTEND_MAX);
	if (p->file_count == 1 && !(p->extends = strdup(name)))
		return error_set(err, ERR_SPACE, "out of memory");
	return read_beneath(l, path, err);
}

static int load(const char *name, const char *path, struct profile **out, struct error **err)
{
	_cleanup_(profile_free) struct profile *p = calloc(1, sizeof(*p));
	_cleanup_(hash_freep) EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct loading l = { .profile = p, .hash = hash };
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (!p || !hash || !(p->name = strdup(name)) || !(p->path = strdup(path)))
		return error_set(err, ERR_SPACE, "out of memory");
	if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		return error_set(err, ERR_SYSTEM, "cannot hash %s", path);
	if (read_file(&l, path, err) < 0)
		return -1;
	if (EVP_DigestFinal_ex(hash, sum, NULL) != 1)
		return error_set(err, ERR_SYSTEM, "cannot hash %s", path);
	sha256_to_hex(sum, p->sha256);
	if (complete(p, err) < 0)
		return -1;
	*out = STEAL_PTR(p);
	return 0;
}

int profile_load(const char *name, struct profile **out, struct error **err)
{
	_cleanup_free_ char *path = NULL;

	if (!valid_rootfs_name(name))
		return error_set(
			err, ERR_INPUT,
			"\"%.80s\" is no name for a profile; a file is taken as one by: cp "
			"FILE ~/.config/rootlet/profiles/NAME.conf, then: --profile NAME",
			name);
	path = profile_find(name, err);
	return path ? load(name, path, out, err) : -1;
}

int profile_load_file(const char *path, struct profile **out, struct error **err)
{
	_cleanup_free_ char *name = profile_name_of(path);

	if (!name)
		return error_set(
			err, ERR_INPUT,
			"%s: the name of a profile's file ends in .conf, and what is before "
			"that is the profile's name",
			path);
	return load(name, path, out, err);
}

/* Whether WORD is one of LIST, which has a blank between them. */
static bool is_listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

static int add_words(char ***words, size_t *count, char *const *more)
{
	for (; more && *more; more++)
		if (words_add(words, count, *more) < 0)
			return -1;
	return 0;
}

int profile_choose_release(struct profile *p, const char *release, struct error **err)
{
	for (size_t i = 0; i < p->for_release_count; i++) {
		const struct release_packages *more = &p->for_releases[i];

		if (is_listed(more->releases, release) &&
		    (add_words(&p->packages, &p->package_count, more->packages) < 0 ||
		     add_words(&p->optional, &p->optional_count, more->optional) < 0))
			return error_set(err, ERR_SPACE, "out of memory");
	}
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
	for (size_t i = 0; i < profile->filter_count; i++)
		free(profile->filters[i].pattern);
	free(profile->filters);
	free(profile->groups);
	free(profile->users);
	words_free(profile->suites);
	words_free(profile->packages);
	words_free(profile->optional);
	for (size_t i = 0; i < profile->for_release_count; i++) {
		free(profile->for_releases[i].releases);
		words_free(profile->for_releases[i].packages);
		words_free(profile->for_releases[i].optional);
	}
	free(profile->for_releases);
	words_free(profile->files);
	free(profile->extends);
	free(profile->name);
	free(profile->path);
	free(profile->description);
	free(profile);
	*p = NULL;
}
