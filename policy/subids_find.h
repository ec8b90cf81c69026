/* The ranges of ids that /etc/subuid and /etc/subgid give a user. The helper takes its ids from
 * them, unless it is installed; the front end tells beforehand what it will find. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct subids {
	uint32_t first_uid, first_gid;
	char why[320]; /* there is no range that is long enough: a clause */
	char fix[160]; /* the command of an administrator's that gives one */
};

/* The first range that is long enough in each of the two files, of the user NAME or UID. Root that
 * has no range gets one that nobody else is given. Returns whether there is one in both; else WHY
 * and FIX are set. */
bool subids_find(const char *name, uid_t uid, struct subids *subids);

/* The same with other files. */
bool subids_find_in(const char *users, const char *groups, const char *name, uid_t uid,
		    struct subids *subids);
