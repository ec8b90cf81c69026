/* Users and groups by /etc/passwd and /etc/group, and, if those do not have them, by the host's
 * name services (LDAP and so on) through getent(1), a process of its own. The privileged half is
 * linked statically: a name service is a library, and none is ever loaded into it. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

/* What the process that becomes getent does first; NULL: nothing. It returns 0, or -1. */
typedef int accounts_isolate(void);

struct host_account {
	uint32_t id;
	char name[64];
	char home[256]; /* of a user; empty if it is no absolute path, or too long */
};

#define ACCOUNTS_USERS "passwd" /* found by their ids, in decimal */
#define ACCOUNTS_GROUPS "group" /* found by their names */

/* The entry of KEY in a database. Returns 1, or 0 if there is none, or -1 with ERR set: ERR_HOST if
 * nothing could tell. */
int accounts_find(const char *database, const char *key, accounts_isolate *isolate,
		  struct host_account *found, struct error **err);
