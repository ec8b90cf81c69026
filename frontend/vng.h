/* vng's command line, and the script that it has the guest run. */
#pragma once

#include "frontend/vm.h"

/* Replaces the process by vng, which keeps DISKS open for qemu to open them again; returns only
 * where that failed, with ERR set. */
int vng_exec(const struct vm_config *config, const int *disks, struct error **err);

/* The guest's script: reports "started", runs config->argv, reports "exit N". The caller's to free;
 * NULL where memory is short. */
char *vng_guest_script(const struct vm_config *config);

#define VNG_GUEST_SCRIPT "usr/lib/rootlet/run"

/* Where the guest finds it, by the kind of root: an image's init knows its own way. */
#define VNG_HOST_SCRIPT VM_FOLDER "/command"
