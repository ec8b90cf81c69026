/* Architectures, and whether this host can run their programs: building a rootfs runs the scripts
 * of its packages. */
#pragma once

#include "lib/error.h"

/* ERR_INPUT if ARCH is not a Debian architecture name; the message lists the known ones. */
int architecture_check(const char *arch, struct error **err);

/* ERR_HOST unless ARCH is native or the kernel has an emulator for it that works in any root.
 * Source: Documentation/admin-guide/binfmt-misc.rst of Linux. */
int architecture_runs(const char *arch, struct error **err);
