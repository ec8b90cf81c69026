#include "frontend/rootfs/profile_load.h"

#include <string.h>

#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "frontend/rootfs/profile_parse.h"
#include "frontend/rootfs/profile_places.h"
#include "lib/hash.h"
#include "proto/validate.h"

#define PROFILE_BYTES_MAX (256 * 1024)

/* The longest chain of profiles that extend each other; this also ends a cycle. */
#define EXTEND_MAX 8

/* Makes sure that USER's gid has a group: a declared one, or else one of the user's own. */
static int complete_primary_group(struct profile *p, const struct account *user, struct error **err)
{
	struct account_group *group;

	for (size_t i = 0; i < p->group_count; i++)
		if (p->groups[i].gid == user->gid)
			return 0;
	if (profile_group(p, user->name))
		return error_set(err, ERR_INPUT,
				 "%s:%u: user %s has gid %u, but group %s has a different gid; "
				 "declare a group with gid %u",
				 user->file, user->line, user->name, user->gid, user->name,
				 user->gid);
	group = profile_add_group(p, user->name, user->file, user->line);
	if (!group)
		return error_no_memory(err);
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
		return error_no_memory(err);
	return complete_primary_group(p, user, err);
}

/* Checks that need the whole file: missing ids, duplicate ids, undeclared groups. */
static int profile_complete(struct profile *p, struct error **err)
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
						 "%s:%u: user %s is a member of group %s, "
						 "which is not declared",
						 p->users[i].file, p->users[i].line,
						 p->users[i].name, p->users[i].groups[j]);
	return 0;
}

/* A profile and the profiles that it extends, which are read recursively. */
struct loading {
	struct profile *profile;
	struct sha256_ctx hash; /* of all their texts */
};

static int read_extended(const char *name, void *context, struct error **err);

/* The first file is the profile itself. Hashes a NUL between the texts, which cannot contain one.
 */
static int profile_read_file(struct loading *l, const char *path, struct error **err)
{
	struct profile *p = l->profile;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (words_add(&p->files, &p->file_count, path) < 0)
		return error_no_memory(err);
	text = file_read(path, PROFILE_BYTES_MAX, &size, err);
	if (!text)
		return -1;
	if (strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: contains NUL bytes", path);
	if (p->file_count > 1)
		hash_add(&l->hash, "", 1);
	hash_add(&l->hash, text, size);
	return profile_parse(p, p->files[p->file_count - 1], text, read_extended, l, err);
}

/* Reads an extended profile; it does not override keys before "extend". */
static int read_beneath(struct loading *l, const char *path, struct error **err)
{
	struct profile *p = l->profile;
	char *description = STEAL_PTR(p->description), **suites = STEAL_PTR(p->suites);
	int r = profile_read_file(l, path, err);

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
		return error_set(err, ERR_INPUT, "more than %d profiles extend each other",
				 EXTEND_MAX);
	if (p->file_count == 1 && !(p->extends = strdup(name)))
		return error_no_memory(err);
	return read_beneath(l, path, err);
}

static int profile_load_from(const char *name, const char *path, struct profile **out,
			     struct error **err)
{
	_cleanup_(profile_free) struct profile *p = calloc(1, sizeof(*p));
	struct loading l = { .profile = p };
	uint8_t sum[SHA256_LEN];

	if (!p || !(p->name = strdup(name)) || !(p->path = strdup(path)))
		return error_no_memory(err);
	sha256_init(&l.hash);
	if (profile_read_file(&l, path, err) < 0)
		return -1;
	hash_end(&l.hash, sum);
	sha256_to_hex(sum, p->sha256);
	if (profile_complete(p, err) < 0)
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
			"\"%.80s\" is not a valid profile name; to use a file, run: cp "
			"FILE ~/.config/rootlet/profiles/NAME.conf, and give --profile NAME",
			name);
	path = profile_find(name, err);
	return path ? profile_load_from(name, path, out, err) : -1;
}

int profile_load_file(const char *path, struct profile **out, struct error **err)
{
	_cleanup_free_ char *name = profile_name_of(path);

	if (!name)
		return error_set(
			err, ERR_INPUT,
			"%s: the file name of a profile must be NAME.conf, where NAME is a "
			"valid profile name",
			path);
	return profile_load_from(name, path, out, err);
}
