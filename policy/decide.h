/* The only decision: is the caller allowed to do this? The helper asks before each request; the
 * front end asks the same for `policy show` and `create --dry-run` (decide_mirror.h). */
#pragma once

#include "policy/grant.h"

/* Options that accept old release files. */
#define OLDER_RELEASE "--allow-older-release"
#define DATED_ARCHIVE "--snapshot"

/* What a request is about. Anything that does not apply is NULL or -1. */
struct question {
	const char *request; /* its name in proto/rootlet.proto */
	const char *word;    /* by which a policy allows it; NULL: it needs no permission */
	const char *suite, *package, *engine;
	const char *dir;   /* canonical path of the directory or rootfs */
	int keyring;	   /* descriptor */
	bool replaces;	   /* an existing rootfs: deleting it must be allowed as well */
	unsigned mode;	   /* of the rootfs; 0: not requested */
	const char *older; /* one of the options above */
};

struct decision {
	bool allowed;
	char rule[128]; /* the policy's line that decided: "allow lab: releases" */
	char why[512];	/* the reason for a refusal */
};

void policy_decide(const struct grant *grant, const struct question *question,
		   struct decision *decision);

/* As above, for a limit. */
void policy_decide_limit(const struct grant *grant, const char *key, uint64_t limit, uint64_t value,
			 struct decision *decision);

/* DECISION becomes the answer that KEY of the policy gives. */
void decision_take(const struct grant *grant, struct decision *decision, bool allowed,
		   const char *key);

/* The same for a refusal, with its reason: WHAT WHICH is not allowed. */
void decision_refuse(const struct grant *grant, struct decision *decision, const char *key,
		     const char *what, const char *which);
