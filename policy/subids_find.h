/* The ranges of ids that /etc/subuid and /etc/subgid give a user. The front end
 * passes them to a helper that is not installed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct subids {
	uint32_t first_uid, first_gid;
	char why[320]; /* why no range is long enough: a clause */
	char fix[160]; /* the command by which an administrator adds one */
};

/* Finds the first range that is long enough in each of the two files, for the user NAME or UID. If
 * root has no range, it gets one that is given to nobody else. Returns whether both files have one;
 * if not, WHY and FIX are set. */
bool subids_find(const char *name, uid_t uid, struct subids *subids);

/* As above, with other files. */
bool subids_find_in(const char *users, const char *groups, const char *name, uid_t uid,
		    struct subids *subids);
