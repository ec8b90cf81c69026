/* What a process may still do: capabilities, no_new_privs, securebits, limits, Landlock, seccomp.
 * All but the last function here only takes away. Sources: capabilities(7), seccomp(2). */
#pragma once

#include "lib/error.h"
#include "policy/privilege_sets.h"

/* Keeps the capabilities of the set's row, sets no_new_privs and loads its system call filter. FILE
 * (or -1) is an open file that may be reopened, or a program (O_PATH) that may be started. Cannot
 * be undone. Returns 0, or -1 with ERR set. */
int privileges_drop(enum privilege_set set, int file, struct error **err);

/* Prevents core dumps of this process and its children: a file, and also one that goes to the
 * host's handler, which a limit of 0 would not prevent. Source: core(5). */
int privileges_limit_cores(void);

/* Of the capabilities that are left, makes those of CAPS (bits) effective, and no others. The bits
 * are in proto/requests.h. */
int privileges_use(uint32_t caps, struct error **err);

/* Gives up all capabilities that are left. Cannot be undone. */
int privileges_renounce(struct error **err);

/* In installed mode, before they are given up: makes the capabilities that the file gave effective.
 * Returns 0, or -1 with errno set. */
int privileges_raise(void);
