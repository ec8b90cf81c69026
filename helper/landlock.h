/* Landlock: a second lock on files, beside namespaces and seccomp, where the kernel has it.
 * Cannot be undone. Source: Documentation/userspace-api/landlock.rst of Linux. */
#pragma once

#include "policy/privilege_sets.h"
#include "proto/error.h"

/* Needs no_new_privs. FILE (or -1) is an open file that can be opened anew, wherever it lies.
 * Returns 0, also where the kernel has no Landlock or too little of it for these files, or -1 with
 * ERR set. */
int landlock_enter(enum file_access files, int file, struct error **err);

/* The version of the kernel's interface; 0 where there is none. */
int landlock_version(void);
