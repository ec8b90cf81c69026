/* A seccomp filter for vng, qemu and virtiofsd, and for other programs that parse untrusted files.
 * It refuses sockets, setuid and setgid bits, the caller's keyrings and new namespaces, and so
 * confines a guest that has taken over qemu. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Installs the filter on this process and its descendants. Needs no_new_privs. UNIX_SOCKETS:
 * whether qemu may create them, which virtiofsd requires. Returns 0, or -1 with ERR set: ERR_HOST.
 */
int vm_filter_install(bool unix_sockets, struct error **err);
