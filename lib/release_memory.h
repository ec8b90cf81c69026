/* Which release file of each place was the newest that was accepted: one that is older is signed
 * just as well, and has packages whose holes are known. Kept in a file of fixed-size lines; each
 * entry has two, which are written in turn and synced, so that a crash at any moment leaves one.
 *
 *   rootlet-release 1 CHECKSUM DATE SEEN KEY      DATE: of the file; SEEN: when; seconds since 1970
 *
 * At most RELEASE_MEMORY_ENTRIES; then the one that was not seen for longest goes. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

#define RELEASE_MEMORY_ENTRIES 1024
#define RELEASE_KEY_MAX 400 /* bytes of a key: printable ASCII */
#define RELEASE_DATE_SIZE 40

/* Compares DATE (seconds since 1970) with the newest that was accepted for KEY, and remembers it if
 * it is as new. FD is the memory, a regular file open for reading and writing; PATH names it in
 * messages. NOW is the time. Processes that do so at once wait for each other.
 * Returns 0 if it is as new, 1 with *NEWEST set if it is older, -1 with ERR set: ERR_HOST if the
 * memory is damaged (it is never begun again by itself), ERR_BUSY if another process holds it. */
int release_memory_take(int fd, const char *path, const char *key, int64_t date, int64_t now,
			int64_t *newest, struct error **err);

/* ERR_TRUST: the release file of NAME is of DATE, and one of NEWEST was accepted before. REMEDY
 * says what to do besides trying again. */
int release_memory_refuse(const char *name, int64_t date, int64_t newest, const char *remedy,
			  struct error **err);

#define RELEASE_REMEDY                                                                             \
	"name another mirror with --mirror URL, or accept it with --allow-older-release"

/* "Sat, 11 Jul 2026 10:16:37 UTC" */
const char *release_memory_date(int64_t date, char out[static RELEASE_DATE_SIZE]);
