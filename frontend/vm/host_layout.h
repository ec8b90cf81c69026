/* The private folder of a VM whose root is the host's: a real one, since there is no mount
 * namespace. Its name has only letters and digits; what lies elsewhere is a link in it. */
#pragma once

#include "frontend/vm/vm_config.h"

/* Makes the folder and opens the disks (descriptors, the caller's). FOLDER is the caller's to free.
 * Returns 0, or -1 with ERR set and nothing left. */
int host_layout_make(const struct vm_config *config, char **folder, int *disks, struct error **err);
void host_layout_remove(const char *folder);
