/* What a process may still do: capabilities, no_new_privs, securebits, limits, Landlock, seccomp.
 * All but the last function here only takes away. Sources: capabilities(7), seccomp(2). */
#pragma once

#include <sys/resource.h>

#include "lib/error.h"
#include "policy/privilege_sets.h"

#define PRIVILEGES_NO_RULESET (-2)

/* Keeps the capabilities of the set's row, sets no_new_privs, enters a Landlock domain and loads
 * the system call filter. The domain is that of RULESET, which it closes, or an empty one if the
 * row says that the process may access no files. Cannot be undone. Returns 0, or -1 with ERR set.
 */
int privileges_drop(enum privilege_set set, int ruleset, struct error **err);

/* Prevents core dumps of this process and its children: a file, and also one that goes to the
 * host's handler, which a limit of 0 would not prevent. Source: core(5). */
int privileges_limit_cores(void);

/* Lowers a limit of this process to MOST, unless it is lower. Returns 0, or -1 with errno set. */
int privileges_lower(__rlimit_resource_t resource, rlim_t most);

/* Gives up all capabilities that are left. Cannot be undone. Returns 0, or -1 with errno set. */
int privileges_renounce(void);

/* In installed mode, before they are given up: makes the capabilities that the file gave effective.
 * Returns 0, or -1 with errno set. */
int privileges_raise(void);
