/* The Landlock domains of the programs in jails (lib/landlock_domain.h). */
#pragma once

#include "lib/error.h"
#include "policy/privilege_sets.h"

/* Makes the ruleset of a process that may access FILES. FILE (or -1) is an open file that may be
 * reopened, or a program (O_PATH) that may be started, wherever it lies. Returns a descriptor,
 * PRIVILEGES_NO_RULESET if the process needs none, or if a domain would forbid too much, or -1 with
 * errno set. */
int landlock_choose(enum file_access files, int file);

/* Like privileges_drop(), with the ruleset that the set's row calls for. */
int landlock_drop_privileges(enum privilege_set set, int file, struct error **err);
