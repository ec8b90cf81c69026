/* Profiles: what a rootfs is for, as an INI file with the sections [profile], [packages],
 * [files], [group NAME] and [user NAME]. Looked for in $XDG_CONFIG_HOME/rootlet/profiles/NAME.conf,
 * then among the installed ones, then (run from a build folder) in the source's policy/profiles. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"

struct account_group {
	char *name;
	uint32_t gid;
	unsigned line; /* of the profile, for messages; 0 else */
};

struct account {
	char *name;
	uint32_t uid, gid;
	char *home, *shell;
	char **groups; /* supplementary, group_count of them */
	size_t group_count;
	unsigned line;
};

/* dpkg's path-exclude or path-include. */
struct path_filter {
	char *pattern;
	bool include;
};

struct profile {
	char *name, *path, *description;
	char sha256[65]; /* of the file, in hex */
	char **suites;	 /* NULL-terminated; NULL: any */
	char **packages; /* NULL-terminated, each once */
	size_t package_count;
	struct path_filter *filters; /* in the file's order */
	size_t filter_count;
	struct account_group *groups; /* those declared, then those that users' gids imply */
	size_t group_count;
	struct account *users; /* in the file's order */
	size_t user_count;
};

/* ERR_MISSING where there is none of that name, ERR_INPUT ("FILE:LINE: …") where it is wrong. */
int profile_load(const char *name, struct profile **out, struct error **err);
void profile_free(struct profile **p);

/* Adds a package where it is not there yet. */
int profile_add_package(struct profile *p, const char *package, struct error **err);

void account_clear(struct account *a);
