/* The policy's limits on sizes and counts, which only the helper can see. */
#pragma once

#include "helper/jailer/server.h"
#include "policy/decide.h"

/* Sets what the kernel can enforce for this process and all that it starts. RULE may be NULL. */
void bounds_set(const struct policy_rule *rule);

/* Refuses in D where TASK would make one rootfs too many, or leave one that is too large. -1 with
 * ERR set where that cannot be told. */
int bounds_decide(const struct server *s, const struct task *task, const int *fds,
		  struct decision *d, struct error **err);

/* Locks FOLDER by *LOCK, which the caller closes once NAME is there, and refuses where that would
 * be one rootfs too many by now: sessions at once have all been told yes before. */
int bounds_claim(const struct server *s, int folder, const char *name, int *lock,
		 struct error **err);
