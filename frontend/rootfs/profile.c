#include "frontend/rootfs/profile.h"

#include <string.h>

#include "frontend/cli/word_list.h"
#include "proto/validate.h"

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

/* Whether WORD is in LIST, whose words are separated by single spaces. */
static bool profile_is_listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

static int profile_add_words(char ***words, size_t *count, char *const *more)
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

		if (profile_is_listed(more->releases, release) &&
		    (profile_add_words(&p->packages, &p->package_count, more->packages) < 0 ||
		     profile_add_words(&p->optional, &p->optional_count, more->optional) < 0))
			return error_no_memory(err);
	}
	return 0;
}

int profile_add_package(struct profile *p, const char *package, struct error **err)
{
	if (!valid_package_name(package))
		return error_set(err, ERR_INPUT, "\"%.120s\" is not a valid package name", package);
	if (words_add(&p->packages, &p->package_count, package) < 0)
		return error_no_memory(err);
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
