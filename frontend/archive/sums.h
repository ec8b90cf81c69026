/* What files of the cache must be, kept beside them as sha256sum(1) does: .sums in a folder says it
 * of all that is in the folder, .NAME.sums of the file NAME. What that program has no word for
 * (folders, links, programs) are comments to it, as are the times that everything had. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/* Of the file NAME in FOLDER, or (NAME is NULL) of all that is in FOLDER, as it is now. */
int sums_write(int folder, const char *name, struct error **err);

bool sums_exist(int folder, const char *name);

/* Reads all again. ERR_TRUST where something is not what it was, or where there are no sums. */
int sums_verify(int folder, const char *name, struct error **err);

/* The same for each use: reads only where a size or a time of change is another. Then the sums are
 * written anew, so that only one may do it at a time. */
int sums_check(int folder, const char *name, struct error **err);

/* Reads the file PATH of a FOLDER that has sums. */
int sums_verify_file(int folder, const char *path, struct error **err);

/* Their own time says when what they are of was last used, where that must keep its own. 0 where
 * there are none. */
void sums_touch(int folder, const char *name);
int64_t sums_used(int folder, const char *name);

void sums_remove(int folder, const char *name);
