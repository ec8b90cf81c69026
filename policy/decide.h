/* The one decision: may this caller do that? The helper asks before each request; the front end
 * asks the same for `policy show` and `create --dry-run`. */
#pragma once

#include "policy/grant.h"

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

void policy_decide(const struct grant *grant, const struct question *question,
		   struct decision *decision);

/* The same for what only the front end and only the helper can look at. */
void policy_decide_mirror(const struct grant *grant, const char *url, struct decision *decision);
void policy_decide_limit(const struct grant *grant, const char *key, uint64_t limit, uint64_t value,
			 struct decision *decision);
