/* The one decision: may this caller do that? The helper asks before each request; the front end
 * asks the same for `policy show` and `create --dry-run`. */
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
	const struct policy_rule *rule; /* NULL: no section names him */
	struct caller caller;
	/* Those of the rule's keyrings that are root's; else file is 0. They are looked at where
	 * root is root: the helper asks in a user namespace, in which he is nobody. */
	struct keyring {
		dev_t device;
		ino_t file;
	} keyrings[KEYRINGS_MAX];
};

/* What a request is about. What it does not have is NULL or -1. */
struct question {
	const char *request; /* its name in proto/rootlet.proto */
	const char *suite, *package, *engine;
	const char *folder; /* canonical path of the folder or rootfs */
	int keyring;	    /* descriptor */
	bool replaces;	    /* a rootfs that is there: to delete it must be allowed, too */
	unsigned mode;	    /* of the rootfs; 0: none is asked for */
	bool older;	    /* accepts a release file that is older than one before */
};

struct decision {
	bool allowed;
	char rule[128]; /* which line of the policy decided: "allow lab: releases" */
	char why[512];	/* of a refusal */
};

/* Whoever runs this process: its real ids and its groups. ISOLATE is for the process that looks up
 * what /etc/passwd and /etc/group do not have: see accounts.h. */
int caller_self(struct caller *caller, accounts_isolate *isolate, struct error **err);

/* Replaces root's symbolic links in the folders and keyrings of POLICY, so that they can be
 * compared with what directory_open() tells, and lead where root says; where root is uid 0. */
int policy_resolve(struct policy *policy, struct error **err);

/* The section of POLICY that CALLER is under. Returns 0, or -1 with ERR set and no section if a
 * group could not be looked up. */
int grant_make(struct grant *grant, const struct policy *policy, const struct caller *caller,
	       struct error **err);

void policy_decide(const struct grant *grant, const struct question *question,
		   struct decision *decision);

/* The same for what only the front end and only the helper can look at. */
void policy_decide_mirror(const struct grant *grant, const char *url, struct decision *decision);
void policy_decide_limit(const struct grant *grant, const char *key, uint64_t limit, uint64_t value,
			 struct decision *decision);

/* First id of the range that [ids] gives to a user; false if it gives none. */
bool policy_find_range(const struct policy *policy, const char *name, uid_t uid, uint32_t *first);

/* First id of the caller's range by [ids]. ERR_REFUSED where the policy gives him none. */
int policy_range(const struct grant *grant, uint32_t *first, struct error **err);
