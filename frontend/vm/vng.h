/* vng's command line, and the script that the guest runs. */
#pragma once

#include "frontend/vm/vm_config.h"

/* Whether a virtiofsd that vng can use is installed where vng looks for it. */
bool vng_has_virtiofsd(void);

/* Executes vng, which keeps DISKS open so that qemu can reopen them; returns only on failure, with
 * ERR set. `dir` is laid out as described in vm_directory.h, and its name contains no shell
 * metacharacters. */
int vng_exec(const struct vm_config *config, const char *dir, const int *disks, struct error **err);

/* Returns the guest's script, which reports "started", runs config->argv, and reports "exit N"; or
 * NULL with ERR set. The caller frees it. */
char *vng_guest_script(const struct vm_config *config, struct error **err);

#define VNG_GUEST_SCRIPT "usr/lib/rootlet/run"
