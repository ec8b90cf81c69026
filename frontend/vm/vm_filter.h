/* The system calls that vng, qemu and virtiofsd may not make: sockets, setuid and setgid bits, the
 * caller's keyrings and namespaces of their own. A guest that has taken qemu over is held by it. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Installs the filter on this process and all that it starts. Needs no_new_privs. UNIX_SOCKETS:
 * whether qemu may make them, as it must for virtiofsd. Returns 0, or -1 with ERR set: ERR_HOST. */
int vm_filter_install(bool unix_sockets, struct error **err);
