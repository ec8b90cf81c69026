/* Runs git on the user's tree and on a bisect's worktree. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

#define COMMIT_MOST 64 /* hexadecimal digits: SHA-256 */

/* Removes the variables that make git use another repository than that of its directory: a hook
 * has them, for example. */
void git_forget_environment(void);

/* Runs `git -C DIRECTORY WORDS…` and returns what it prints, without the last newline; the caller
 * frees it. NULL with ERR set if it fails: ERR_SYSTEM with git's own words, ERR_MISSING if it has
 * none. WORDS is NULL-terminated. */
char *git_read(const char *directory, const char *const *words, struct error **err);

/* Returns its exit status, or -1 with ERR set. */
int git_status(const char *directory, const char *const *words, struct error **err);

/* The full name of the commit that WHAT means. The caller frees it. NULL with ERR set (ERR_INPUT).
 */
char *git_commit(const char *directory, const char *what, struct error **err);

/* "fs: fix it", the subject of COMMIT, clean for a terminal. The caller frees it. */
char *git_subject(const char *directory, const char *commit, struct error **err);
