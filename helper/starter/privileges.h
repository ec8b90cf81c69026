/* What a process may still do: capabilities, no_new_privs, securebits, limits, Landlock, seccomp.
 * All but the last function here only takes away. Sources: capabilities(7), seccomp(2). */
#pragma once

#include "lib/error.h"
#include "policy/privilege_sets.h"

/* Keeps the capabilities of the set's row, sets no_new_privs and loads its system calls. FILE (or
 * -1) is an open file that may be opened anew, or a program (O_PATH) that may be started. Cannot be
 * undone. Returns 0 or -1 with ERR set. */
int privileges_drop(enum privilege_set set, int file, struct error **err);

/* No core dump of this process or of those that it starts: neither a file nor, as a limit of 0
 * would not keep it, one that the host's handler gets. Source: core(5). */
int privileges_limit_cores(void);

/* Of the capabilities that are left, those of CAPS (bits) are in effect from now on. They are in
 * proto/ requests.h. */
int privileges_use(uint32_t caps, struct error **err);

/* Gives up every capability that is left. Cannot be undone. */
int privileges_renounce(struct error **err);

/* Installed, before they are given up: makes the capabilities effective that the file gave. Returns
 * 0, or -1 with errno set. */
int privileges_raise(void);
