/* Reads a .deb without running any of it: the files of kernels, which are not installed anywhere,
 * and the control files of the user's own packages. */
#pragma once

#include "lib/error.h"

/* Unpacks the regular files of data.tar that PLACE names. PLACE gets the path without "./" and
 * returns the relative path to write, which is freed here, or NULL to skip the file. Links and
 * devices are skipped. ERR_INPUT if the archive is malformed. Format: deb(5). */
int deb_files_unpack(const char *deb, int dir, char *(*place)(const char *path),
		     struct error **err);

/* The control file of the package, which the caller frees. ERR_INPUT if the archive is malformed,
 * or the control file is not a single stanza. Formats: deb(5), deb-control(5). */
char *deb_files_control(const char *deb, struct error **err);

/* Opens the directory of RELATIVE, and creates missing directories; never follows a link. NAME then
 * points to the last component. The caller closes the descriptor. */
int deb_files_dir(int dir, const char *relative, const char **name, struct error **err);
