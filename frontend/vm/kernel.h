/* The kernel that `rootlet run` boots: a bzImage, a kernel's build folder, or the kernel package of
 * the rootfs's own release, fetched and verified like any other package, and unpacked in the cache.
 */
#pragma once

#include "lib/error.h"

struct kernel {
	char *image;   /* absolute path of a bzImage */
	char *version; /* what `uname -r` will say; NULL where the image does not */
	char *modules; /* absolute path of …/lib/modules/VERSION; NULL: none */
	char *build;   /* a build folder whose modules are to be used; NULL: none */
};

/* PATH: an image or a build folder. ERR_MISSING where it is not there, ERR_INPUT where it is not a
 * kernel. Format of the image: Documentation/arch/x86/boot.rst of Linux. */
int kernel_open(const char *path, struct kernel **out, struct error **err);

void kernel_free(struct kernel **kernel);
