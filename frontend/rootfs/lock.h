/* Lock files: what a rootfs was made of, exact enough to make it again. JSON, one version, unknown
 * fields refused. In memory a lock is a manifest without a range of ids, whose CREATED is the
 * lock's epoch: the date of its newest release file. */
#pragma once

#include "frontend/archive/package_set.h"
#include "frontend/rootfs/manifest.h"

#define LOCK_FORMAT 1

/* The lock of a rootfs as text, which the caller frees. ERR_INPUT if its manifest, of a rootfs at
 * PATH, does not say what it was made of. */
int lock_compose(const struct manifest *m, const char *path, char **text, struct error **err);

/* FILE is for messages. ERR_INPUT names what is wrong. */
int lock_parse(const char *text, size_t size, const char *file, struct manifest **out,
	       struct error **err);
int lock_read(const char *file, struct manifest **out, struct error **err);

/* The profile that the lock, read from PATH, has. It borrows the texts of both. */
struct profile lock_profile(const struct manifest *lock, const char *path);

/* "name=version" of each package, NULL-terminated; words_free(). NULL if out of memory. */
char **lock_words(const struct manifest *lock);

/* Whether SET has exactly the packages of the lock. ERR_TRUST names one that differs. */
int lock_compare(const struct manifest *lock, const struct package_set *set, struct error **err);

/* The SHA-256 of the lock, in hex. Returns -1 if out of memory. */
int lock_digest(const struct manifest *lock, char hex[static 2 * SHA256_LEN + 1]);
