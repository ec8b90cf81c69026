/* The policy's limits on sizes and counts, which only the helper can measure. */
#pragma once

#include "helper/jailer/server.h"
#include "policy/decide.h"

/* Sets the limits that the kernel enforces, for this process and its children. RULE may be NULL. */
void bounds_set(const struct policy_rule *rule);

/* Refuses TASK, in D, if it would make one rootfs too many, or leave one that is too large. -1 with
 * ERR set if that cannot be determined. */
int bounds_decide(const struct server *s, const struct task *task, const int *fds,
		  struct decision *d, struct error **err);

/* Locks the directory and counts again: concurrent sessions may all have passed bounds_decide(). -1
 * with ERR set if NAME would be one rootfs too many. The function's caller closes *LOCK once NAME
 * exists. */
int bounds_claim(const struct server *s, int dir, const char *name, int *lock, struct error **err);
