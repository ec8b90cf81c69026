/* Who the caller is, and what root's policy grants them. */
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
	char name[64];	/* the uid's digits where the password database has none */
	char home[256]; /* as directory_canonical() has it; empty where there is none */
	gid_t groups[CALLER_GROUPS_MAX];
	size_t group_count;
	accounts_isolate *isolate; /* how names of groups are looked up */
};

/* A policy as it applies to one caller. */
struct grant {
	const struct policy *policy;
	const struct policy_rule *rule; /* NULL: no section names them */
	struct caller caller;
	/* Those of the rule's keyrings that are root's; else file is 0. They are looked at where
	 * root is root: the helper asks in a user namespace, in which root is nobody. */
	struct keyring {
		dev_t device;
		ino_t file;
	} keyrings[KEYRINGS_MAX];
};

/* Whoever runs this process: its real ids and its groups. ISOLATE is for the process that looks up
 * what /etc/passwd and /etc/group do not have: see accounts.h. */
int caller_self(struct caller *caller, accounts_isolate *isolate, struct error **err);

/* The section of POLICY that CALLER is under. Returns 0, or -1 with ERR set and no section if a
 * group could not be looked up. */
int grant_make(struct grant *grant, const struct policy *policy, const struct caller *caller,
	       struct error **err);

/* First id of the range that [ids] gives to a user; false if it gives none. */
bool policy_find_range(const struct policy *policy, const char *name, uid_t uid, uint32_t *first);

/* First id of the caller's range by [ids]. ERR_REFUSED if the policy gives them none. */
int policy_range(const struct grant *grant, uint32_t *first, struct error **err);
