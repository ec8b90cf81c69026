/* Bases in the cache: finished trees, each named by the hash of all that made it, which `create`
 * clones in place of making the same once more. */
#pragma once

#include "frontend/archive/packages.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/profile.h"

#define BASES_FOLDER "bases"

struct base {
	char key[2 * SHA256_LEN + 1];
	int folder, lock; /* descriptors, or -1 */
};
#define BASE_NONE_OPEN ((struct base){ .folder = -1, .lock = -1 })

/* What a base is made of, besides the pockets of SET. */
struct base_recipe {
	const struct package_set *set; /* its pockets and words; packages follow from them */
	const struct profile *profile;
	const struct host_ids *ids;
	const char *engine;
	const char *const *components; /* NULL: the default */
	const char *policy;	       /* of what it may be made: permission_content() */
};

/* The name of the base that RECIPE makes, in hex: another one where anything in it is another.
 * Returns -1 where it cannot be had, which is for want of memory. */
int base_key(const struct base_recipe *recipe, char key[static 2 * SHA256_LEN + 1]);

/* Names the base and locks it: who makes the same at this moment is waited for. */
int base_open(const struct base_recipe *recipe, struct progress *progress, struct base *base,
	      struct error **err);
void base_close(struct base *base);

/* The base, as O_PATH; -1 where there is none. */
int base_find(const struct base *base);

/* Removes what nobody used for a month. Failures are passed over. */
void base_prune(struct helper *h, int folder);

/* Removes one that is damaged, or of no use any more. */
int base_remove(struct helper *h, int folder, const char *key, struct error **err);
