/* The private directory of a VM whose root is the host's. It is a real directory, since there is no
 * mount namespace. Its name contains only letters, digits, "/" and "."; it holds symbolic links to
 * what lies elsewhere. */
#pragma once

#include "frontend/vm/vm_config.h"

/* Creates the directory and opens the disks. The caller closes `disks` and frees `dir`. Returns
 * 0, or -1 with ERR set and the directory removed. */
int host_layout_make(const struct vm_config *config, char **dir, int *disks, struct error **err);
void host_layout_remove(const char *dir);
