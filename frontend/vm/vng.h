/* vng's command line, and the script that it has the guest run. */
#pragma once

#include "frontend/vm/vm_config.h"

/* Whether there is a virtiofsd that vng can use, where vng looks for one. */
bool vng_has_virtiofsd(void);

/* Replaces the process by vng, which keeps DISKS open for qemu to open them again; returns only
 * where that failed, with ERR set. FOLDER is laid out as hypervisor.h says, and has no character in
 * its name that a shell would not take for itself. */
int vng_exec(const struct vm_config *config, const char *folder, const int *disks,
	     struct error **err);

/* The guest's script: reports "started", runs config->argv, reports "exit N". The caller's to free;
 * NULL with ERR set. */
char *vng_guest_script(const struct vm_config *config, struct error **err);

#define VNG_GUEST_SCRIPT "usr/lib/rootlet/run"
