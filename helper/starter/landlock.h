/* The Landlock domains of the helper's processes (lib/landlock_domain.h). */
#pragma once

#include "lib/error.h"
#include "lib/landlock_domain.h"
#include "policy/privilege_sets.h"

/* Needs no_new_privs. FILE (or -1) is an open file that may be reopened, wherever it lies. Returns
 * 0, also if the kernel has no Landlock or too little of it for these files, or -1 with ERR set. */
int landlock_enter(enum file_access files, int file, struct error **err);
