/* Users and groups by /etc/passwd and /etc/group, and, if those do not have them, by the host's
 * name services (LDAP and so on) through getent(1), a process of its own. The privileged half is
 * linked statically: a name service is a library, and none is ever loaded into it. */
#pragma once

#include <sys/types.h>

#include "proto/error.h"

/* What the process that becomes getent does first; NULL: nothing. It returns 0, or -1. */
typedef int accounts_isolate(void);

struct host_user {
	char name[64];
	char home[256]; /* empty if it is no absolute path, or too long */
};

/* Both return 1, or 0 if there is no such user or group, or -1 with ERR set: ERR_HOST if nothing
 * could tell. */
int accounts_find_user(uid_t uid, accounts_isolate *isolate, struct host_user *user,
		       struct error **err);
int accounts_find_group(const char *name, accounts_isolate *isolate, gid_t *gid,
			struct error **err);
