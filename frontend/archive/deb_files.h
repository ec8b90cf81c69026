/* Copies some files out of a .deb without running anything of it. Used for kernels, which are not
 * installed anywhere: the front end does this as the plain user, in its own cache. */
#pragma once

#include "lib/error.h"

/* Unpacks the regular files of data.tar for which PLACE gives a name into FOLDER. PLACE gets the
 * path without "./" and returns the caller's-to-free relative path to write, or NULL to leave the
 * file out. Links and devices are left out. ERR_INPUT for a malformed archive.
 * Format: deb(5). */
int deb_files_unpack(const char *deb, int folder, char *(*place)(const char *path),
		     struct error **err);

/* Opens (making what is missing) the folder that holds RELATIVE, never through a link. NAME then
 * points to its last component. The descriptor is the caller's. */
int deb_files_folder(int folder, const char *relative, const char **name, struct error **err);
