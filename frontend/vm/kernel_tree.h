/* The kernel tree that rootlet was started in, for commands that are given no kernel. */
#pragma once

#include "frontend/cli/progress.h"
#include "lib/error.h"

/* The top of the kernel's source tree or build directory that the working directory is in. The
 * caller frees it; NULL if it is in none. */
char *kernel_tree_find(void);

/* Says that TREE is used; nothing if it is NULL. */
void kernel_tree_note(struct progress *progress, const char *tree);

/* The error if there is neither a tree nor --kernel. */
int kernel_tree_missing(struct error **err);
