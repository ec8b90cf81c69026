/* Users and groups from /etc/passwd and /etc/group and, if they are not in there, from the host's
 * name services (LDAP and so on) by getent(1), a separate process. The privileged half is linked
 * statically: a name service is a library, and none is ever loaded into it. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

/* What the process does before it becomes getent; NULL: nothing. Returns 0 or -1. */
typedef int accounts_isolate(void);

struct host_account {
	uint32_t id;
	char name[64];
	char home[256]; /* of a user; empty if it is not an absolute path, or is too long */
};

#define ACCOUNTS_USERS "passwd" /* found by their ids, in decimal */
#define ACCOUNTS_GROUPS "group" /* found by their names */

/* Finds the entry of KEY in a database. Returns 1, 0 if there is no such entry, or -1 with ERR set:
 * ERR_HOST if that could not be determined. */
int accounts_find(const char *database, const char *key, accounts_isolate *isolate,
		  struct host_account *found, struct error **err);
