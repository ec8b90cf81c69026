/* Checksums of cache files, in sha256sum(1) format: .sums in a directory covers everything in it,
 * .NAME.sums the file NAME beside it. Data that sha256sum does not know (directories, links,
 * executables, and all times) is in comments. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/hex.h"

/* Records the current state of the file NAME, or of the whole directory if NAME is NULL. */
int sums_write(int dir, const char *name, struct error **err);

bool sums_exist(int dir, const char *name);

/* Reads everything again. ERR_TRUST if anything has changed, or if there are no checksums. */
int sums_verify(int dir, const char *name, struct error **err);

/* A quick check for each use: reads only if a size or change time differs. It then rewrites the
 * checksums, so callers must hold a lock. */
int sums_check(int dir, const char *name, struct error **err);

/* Verifies the file PATH in a directory that has checksums. */
int sums_verify_file(int dir, const char *path, struct error **err);

/* The recorded SHA-256 of the file NAME in hex, after a check. False if it is missing. */
bool sums_recorded(int dir, const char *name, char hex[static 2 * SHA256_LEN + 1]);

/* The mtime of the checksum file records the last use of its object, whose own times must not
 * change. 0 if there are no checksums. */
void sums_touch(int dir, const char *name);
int64_t sums_used(int dir, const char *name);

void sums_remove(int dir, const char *name);
