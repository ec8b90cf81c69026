/* A cache of files named by their SHA-256, below $XDG_CACHE_HOME/rootlet. Only complete files get
 * their final name. Each use hashes the file again; a damaged one is downloaded again. Any number
 * of processes can use the cache at once; a partial file belongs to the process that locks it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

/* $XDG_CACHE_HOME/rootlet/SUBDIRECTORY (by default below ~/.cache), created with mode 0700 if
 * missing. The caller frees the result; NULL with ERR set. */
char *cache_path(const char *subdirectory, struct error **err);

/* DIR/HEX; the caller frees it. */
char *cache_file(const char *dir, const uint8_t sha256[static SHA256_LEN], struct error **err);

/* Returns 1 if the cache has the complete file (the caller frees *PATH), 0 if not, -1 with ERR set.
 * Removes a file with another SIZE or hash. */
int cache_find(const char *dir, const uint8_t sha256[static SHA256_LEN], uint64_t size, char **path,
	       struct error **err);

/* A file being added to the cache; the descriptor is open for reading and writing. */
struct cache_draft {
	int fd;
	uint64_t kept; /* bytes left by an earlier attempt */
	bool private;  /* no other attempt can resume it */
	char *path;    /* of the partial file */
};
#define CACHE_DRAFT_NONE ((struct cache_draft){ .fd = -1 })

/* Starts a file, or resumes the partial file of an earlier attempt. Returns 1 if another process
 * (or this one) is working on it: *OTHER is then the number of bytes it has so far, and DRAFT is
 * none. */
int cache_begin(const char *dir, const uint8_t sha256[static SHA256_LEN], struct cache_draft *draft,
		uint64_t *other, struct error **err);

/* Starts a private file, regardless of other processes. */
int cache_begin_alone(const char *dir, struct cache_draft *draft, struct error **err);

/* Gives the draft its final name if its hash is SHA256. Returns 0 and ends the draft, 1 if the hash
 * differs (the draft is then empty, and still open), -1 with ERR set. */
int cache_commit(const char *dir, const uint8_t sha256[static SHA256_LEN],
		 struct cache_draft *draft, struct error **err);

/* Ends an uncommitted draft. The next attempt can resume it. */
void cache_draft_end(struct cache_draft *draft);

/* Marks PATH, a file or directory of the cache, as in use until this process exits: `rootlet cache
 * prune` then skips it. Ignores failures. */
void cache_hold(const char *path);

/* Marks PATH as used now, for cache_prune(). Does not follow links. Ignores failures. */
void cache_touch(const char *path);

/* Removes files unused for SECONDS. Ignores failures. */
void cache_prune(const char *dir, int64_t seconds);

/* Hashes the whole file behind FD without moving its offset. */
int file_sha256(int fd, uint8_t sha256[static SHA256_LEN], struct error **err);
