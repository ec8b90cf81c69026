/* Files that the fetch process makes from signed indexes, because reading the indexes again takes
 * long. A file is valid for a format and for the SHA-256 of what it was made from, and if its own
 * checksum is right; otherwise it is treated as missing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

#define KEPT_FILES_DIRECTORY "solv" /* for cache_path(); most are in libsolv's format */
#define KEPT_FORMAT_SIZE 40

/* Reads the contents of PATH, which the caller frees; NULL if it is not valid. FORMAT has less than
 * KEPT_FORMAT_SIZE characters. SOURCE: NULL for any. A NUL follows the contents. */
char *kept_file_read(const char *path, const char *format, const uint8_t *source, size_t *size);

/* Ignores failures: the next run makes the file again. */
void kept_file_write(const char *path, const char *format, const uint8_t source[static SHA256_LEN],
		     const void *contents, size_t size);

/* ERR_TRUST if FD is not such a file, or its checksum is wrong. */
int kept_file_verify(int fd, struct error **err);
