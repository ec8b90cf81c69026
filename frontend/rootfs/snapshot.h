/* Snapshots in the cache: finished trees, each named by the hash of everything that it was built
 * from. `create` clones one instead of building the same tree again. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "frontend/archive/packages.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/profile.h"

#define BASES_DIR "bases"

struct base {
	char key[2 * SHA256_LEN + 1];
	int dir, lock;	 /* descriptors, or -1 */
	off_t described; /* bytes of the recipe in the lock */
};
#define BASE_NONE_OPEN ((struct base){ .dir = -1, .lock = -1 })

/* Everything that determines a snapshot, including the pockets of SET. */
struct base_recipe {
	const struct package_set
		*set; /* its pockets, suite, arch and mirror determine the packages */
	const struct profile *profile;
	const struct host_ids *ids;
	const char *engine;
	const char *const *components; /* NULL: the default */
	const char *policy;	       /* which packages it allows: permission_content() */
	const char *lock;	       /* its digest; then the pockets do not matter; NULL: none */
};

/* The name of RECIPE's snapshot, in hex: it changes with anything in RECIPE. Returns -1 if out of
 * memory. */
int base_key(const struct base_recipe *recipe, char key[static 2 * SHA256_LEN + 1]);

/* Names and locks the snapshot; waits for a process that is building the same one. */
int base_open(const struct base_recipe *recipe, struct progress *progress, struct base *base,
	      struct error **err);
void base_close(struct base *base);

/* What a later create must know of a snapshot before it extends it. */
struct base_note {
	char policy[2 * SHA256_LEN + 1];  /* under which it was made: permission_content() */
	char keyring[2 * SHA256_LEN + 1]; /* the hash of the keyring that verified its packages */
	bool extended;			  /* from another snapshot, instead of built */
};

/* Sets HEX to the hash of the keyring PATH. */
int base_hash_keyring(const char *path, char hex[static 2 * SHA256_LEN + 1], struct error **err);

/* Notes in the lock how the snapshot is about to be made: KEYRING is the hash of the
 * keyring that verifies its packages, EXTENDED the key of another one, or NULL. Ignores failures.
 */
void base_note(const struct base *base, const char *keyring, const char *extended);

/* How many bytes of a lock's TEXT are the recipe, which the key is the hash of. */
size_t base_recipe_length(const char *text);

/* Reads the note of snapshot KEY in DIR: empty if it is missing. */
void base_read_note(int dir, const char *key, struct base_note *note);

/* Records that snapshot KEY in DIR was used. */
void base_touch(int dir, const char *key);

/* Opens the snapshot with O_PATH; -1 if it does not exist. */
int base_find(const struct base *base);

/* Removes snapshots unused for a month. Ignores failures. */
void base_prune(struct helper *h, int dir);
