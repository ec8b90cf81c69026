/* The architectures of an archive, and whether programs of one can run here: those of a package are
 * run while a rootfs is made. */
#pragma once

#include "lib/error.h"

/* ERR_INPUT where no archive has an architecture ARCH, as Debian names them; the message has those
 * that there are. */
int architecture_check(const char *arch, struct error **err);

/* ERR_HOST where ARCH is neither this host's own nor one that the kernel has an emulator for which
 * works in any root. Source: Documentation/admin-guide/binfmt-misc.rst of Linux. */
int architecture_runs(const char *arch, struct error **err);
