/* The kernel that `rootlet run` boots: a bzImage, a kernel's build folder, or the kernel package of
 * the rootfs's own release, fetched and verified like any other package, and unpacked in the cache.
 */
#pragma once

#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/cli/progress.h"
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

/* The kernel of the release that MANIFEST tells, from its mirror, whose signatures are checked
 * by HELPER against KEYRING (NULL: the release's own; a manifest has no say in that, as what runs
 * in the rootfs could write it). One that was fetched within a day is used as it is; an older one
 * too, with a note, where the mirror does not answer. */
int kernel_distribution(const struct manifest *manifest, const char *keyring, struct helper *helper,
			struct progress *progress, struct kernel **out, struct error **err);

/* Where a file of a kernel package goes, the caller's to free; NULL: it stays out. See deb_files.h.
 */
char *kernel_file_place(const char *path);

void kernel_free(struct kernel **kernel);
