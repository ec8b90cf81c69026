/* Whatever a kernel's parts are compressed with: gzip, xz, zstd, lz4, bzip2, lzma, or not at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* The first MOST bytes of what FD holds, decompressed; the caller's to free, and never NULL unless
 * ERR is set. FD is read from its offset on. What follows the compressed data is ignored. Runs in a
 * process that has nothing else (fetch_sandbox.h): the data may be a stranger's. */
char *decompress(int fd, size_t most, size_t *size, struct error **err);

/* Lets ARCHIVE read these compressions and no other: for the rest libarchive starts programs that
 * the file names. False, with the archive's error set, if libarchive was built without one. */
struct archive;
bool decompress_support(struct archive *archive);
