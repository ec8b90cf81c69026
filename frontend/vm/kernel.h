/* The kernel that `rootlet run` boots: a bzImage, a kernel build directory, or the kernel package
 * of the rootfs's release, which is downloaded and verified like any other package and unpacked in
 * the cache. */
#pragma once

#include "lib/error.h"

struct kernel {
	char *image;   /* absolute path of a bzImage */
	char *version; /* as `uname -r` prints it; NULL if the image does not contain it */
	char *modules; /* absolute path of …/lib/modules/VERSION; NULL if none */
	char *build;   /* build directory to take modules from; NULL if none */
};

/* PATH is an image or a build directory. Sets ERR_INPUT if it does not exist or is not a kernel.
 * Image format: Linux Documentation/arch/x86/boot.rst. */
int kernel_open(const char *path, struct kernel **out, struct error **err);

void kernel_free(struct kernel **kernel);
