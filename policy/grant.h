/* The caller, and what root's policy grants them. */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "policy/accounts.h"
#include "policy/policy.h"

#define CALLER_GROUPS_MAX 256
#define KEYRINGS_MAX 64

struct caller {
	uid_t uid;
	gid_t gid;
	char name[64];	     /* the uid's digits if the password database has no name */
	char home[PATH_MAX]; /* as resolved by directory_canonical(); may be empty */
	gid_t groups[CALLER_GROUPS_MAX];
	size_t group_count;
	accounts_isolate *isolate; /* for looking up names of groups */
};

/* A policy as it applies to one caller. */
struct grant {
	const struct policy *policy;
	const struct policy_rule *rule; /* NULL: no section names them */
	struct caller caller;
	/* The rule's keyrings, and those for repositories, that belong to root; file is 0 for the
	 * others. They are looked up while root is root: later the helper is in a user namespace in
	 * which root is nobody. */
	struct keyring {
		dev_t device;
		ino_t file;
	} keyrings[KEYRINGS_MAX], repository_keyrings[KEYRINGS_MAX];
};

/* The user that runs this process: its real ids and its groups. ISOLATE is for the process that
 * looks up what is not in /etc/passwd and /etc/group: see accounts.h. */
int caller_self(struct caller *caller, accounts_isolate *isolate, struct error **err);

/* Finds the section of POLICY that applies to CALLER. Returns 0, or -1 with ERR set and no section
 * if a group could not be looked up. */
int grant_make(struct grant *grant, const struct policy *policy, const struct caller *caller,
	       struct error **err);

/* The first id of the range that [ids] gives to a user. False if it gives none. */
bool policy_find_range(const struct policy *policy, const char *name, uid_t uid, uint32_t *first);

/* The first id of the caller's range by [ids]. ERR_REFUSED if the policy gives them none. */
int policy_range(const struct grant *grant, uint32_t *first, struct error **err);
