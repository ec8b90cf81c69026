/* Files named by their SHA-256 below $XDG_CACHE_HOME/rootlet. A file is under its name only when it
 * is whole, and its hash is taken again each time it is used: what went bad is fetched again.
 * Any number of processes may use the cache at once; a partial file belongs to whoever locks it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

/* $XDG_CACHE_HOME/rootlet/SUBDIRECTORY (else below ~/.cache), made 0700 where missing. The result
 * is the caller's; NULL with ERR set. */
char *cache_path(const char *subdirectory, struct error **err);

/* FOLDER/HEX; the caller's. */
char *cache_file(const char *folder, const uint8_t sha256[static SHA256_LEN], struct error **err);

/* Returns 1 where the cache holds the file whole (*PATH is then the caller's), 0 where it does not,
 * -1 with ERR set. One that has another SIZE or hash is removed. */
int cache_find(const char *folder, const uint8_t sha256[static SHA256_LEN], uint64_t size,
	       char **path, struct error **err);

/* A file on its way into the cache; the descriptor is open for reading and writing. */
struct cache_draft {
	int fd;
	uint64_t kept; /* bytes that an earlier attempt left */
	bool private;  /* nobody can go on with it later */
	char *path;    /* of the partial file */
};
#define CACHE_DRAFT_NONE ((struct cache_draft){ .fd = -1 })

/* Starts, or goes on with, a file: takes the partial file that an earlier attempt left. Returns 1
 * where another process works on that one now (or we ourselves do), which has brought *OTHER bytes;
 * DRAFT is none then. */
int cache_begin(const char *folder, const uint8_t sha256[static SHA256_LEN],
		struct cache_draft *draft, uint64_t *other, struct error **err);

/* Starts a file whatever others do. */
int cache_begin_alone(const char *folder, struct cache_draft *draft, struct error **err);

/* Puts the draft under its name where its hash is SHA256. Returns 0 and ends the draft, 1 where the
 * hash differs (the draft is then emptied, and still open), -1 with ERR set. */
int cache_commit(const char *folder, const uint8_t sha256[static SHA256_LEN],
		 struct cache_draft *draft, struct error **err);

/* Ends a draft that was not committed. What it holds is kept for the next attempt. */
void cache_draft_end(struct cache_draft *draft);

/* Stores SIZE bytes under their own hash. */
int cache_store(const char *folder, const void *data, size_t size,
		uint8_t sha256[static SHA256_LEN], char **path, struct error **err);

/* Says that PATH, a file or a folder of the cache, is in use until this process ends: `rootlet
 * cache prune` passes over it. Failures are passed over. */
void cache_hold(const char *path);

/* Says that PATH was used now: cache_prune() goes by that. A link is not followed. Failures are
 * passed over. */
void cache_touch(const char *path);

/* Removes what nobody used for SECONDS. Failures are passed over. */
void cache_prune(const char *folder, int64_t seconds);

/* Hash of the whole file behind FD, whose offset it leaves alone. */
int file_sha256(int fd, uint8_t sha256[static SHA256_LEN], struct error **err);
