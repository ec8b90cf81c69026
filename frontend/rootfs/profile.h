/* Profiles describe the purpose of a rootfs: INI files with the sections [profile], [packages],
 * [files], [group NAME] and [user NAME]. A profile can extend another: it adds packages, and
 * replaces users and groups of the same name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct account_group {
	char *name;
	uint32_t gid;
	const char *file; /* the profile that declares it, for messages, or NULL */
	unsigned line;
};

struct account {
	char *name;
	uint32_t uid, gid;
	char *home, *shell;
	char **groups; /* supplementary, group_count of them */
	size_t group_count;
	const char *file;
	unsigned line;
};

/* dpkg's path-exclude and path-include. */
struct path_filter {
	char *pattern;
	bool include;
};

/* The packages that a section "[packages RELEASE…]" adds for these releases. */
struct release_packages {
	char *releases; /* names, separated by single spaces */
	char **packages, **optional;
	size_t package_count, optional_count;
};

struct profile {
	char *name, *path, *description;
	char *extends;	 /* the profile that it extends, or NULL */
	char sha256[65]; /* of the file and all profiles that it extends, in hex */
	char **files;	 /* the paths of those, its own first */
	size_t file_count;
	char **suites;	 /* NULL-terminated; NULL: any */
	char **packages; /* NULL-terminated, no duplicates; "a|b": the first that a release has */
	size_t package_count;
	char **optional; /* likewise; left out if the release has none of them */
	size_t optional_count;
	struct release_packages *for_releases;
	size_t for_release_count;
	struct path_filter *filters; /* in the file's order */
	size_t filter_count;
	struct account_group *groups; /* declared groups, then those that users' gids imply */
	size_t group_count;
	struct account *users; /* in the file's order */
	size_t user_count;
};

void profile_free(struct profile **p);

/* Adds the packages that the profile has for RELEASE only. */
int profile_choose_release(struct profile *p, const char *release, struct error **err);

/* Adds a package unless the profile already has it. */
int profile_add_package(struct profile *p, const char *package, struct error **err);

void account_clear(struct account *a);

/* NULL if there is no group NAME. */
struct account_group *profile_group(const struct profile *p, const char *name);
struct account_group *profile_add_group(struct profile *p, const char *name, const char *file,
					unsigned line);
