/* Decompresses the indexes of an archive: xz, gzip, or none. libarchive does not check the checksum
 * at the end of a gzip file: only the hash of the result shows damage. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

/* Takes the next piece of the data. Returns 0, or -1 with ERR set, which ends the reading. */
typedef int index_take(const char *data, size_t size, void *context, struct error **err);

/* Reads PATH to its end. WHAT is for messages. ERR_TRUST if it is damaged. */
int index_read(const char *path, const char *what, index_take *take, void *context,
	       struct error **err);
