/* Decompresses the parts of a kernel: gzip, xz, zstd, lz4, bzip2, lzma, or uncompressed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* Decompresses FD from its offset on and returns the first MOST bytes, which the caller frees; NULL
 * with ERR set. Ignores anything after the compressed data. Runs in a confined process
 * (fetch_sandbox.h), because the data may be untrusted. */
char *decompress(int fd, size_t most, size_t *size, struct error **err);

/* The same into a sealed memfd, which the caller closes; -1 with ERR set. */
int decompress_sealed(int fd, size_t most, struct error **err);

/* Enables only these compressions for ARCHIVE: for others libarchive runs programs that the file
 * names. False, with the archive's error set, if libarchive was built without one of them. */
struct archive;
bool decompress_support(struct archive *archive);
