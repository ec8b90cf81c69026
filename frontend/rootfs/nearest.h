/* The snapshot from which a rootfs takes the least to make. Extending it must give what a build
 * gives: so it only lacks packages, or has some of them as an older release file lists them, but
 * has nothing that the new rootfs would not have. */
#pragma once

#include "frontend/archive/package_set.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/profile.h"
#include "frontend/rootfs/snapshot.h"

struct nearest {
	char key[2 * SHA256_LEN + 1];
	struct manifest *manifest; /* of the snapshot */
	size_t added, replaced;	   /* packages that it lacks, or has in another version */
	uint64_t bytes;		   /* of their .debs */
	bool accounts;		   /* it lacks a user or a group, too */
	bool extended;		   /* it was itself extended from another one */
};

/* The rootfs to be made. */
struct nearest_goal {
	const struct package_set *set;
	const struct profile *profile;
	const struct host_ids *ids;
	const char *keyring; /* its hash, in hex */
	const char *policy;  /* see struct base_note */
};

/* Looks through the directory of KEPT, except for KEPT itself. Returns 1, or 0 if no snapshot is
 * near enough to be faster than a build. The caller clears NEAREST. */
int nearest_find(struct helper *h, const struct base *kept, const struct nearest_goal *goal,
		 struct nearest *nearest);

/* Whether the snapshot of which only N's manifest and NOTE are known is near enough. Fills in the
 * rest of N. */
bool nearest_judge(struct nearest *n, const struct base_note *note,
		   const struct nearest_goal *goal);

/* The packages of SET to add or replace, as "name=version", NULL-terminated. NULL if out of memory;
 * the caller frees it. */
char **nearest_words(const struct nearest *nearest, const struct package_set *set);

/* Whether the snapshot has everything already. */
bool nearest_is_whole(const struct nearest *nearest);

/* Whether the snapshot has this group, or user. */
bool nearest_has_group(const struct nearest *nearest, const struct account_group *group);
bool nearest_has_user(const struct nearest *nearest, const struct account *user);

void nearest_clear(struct nearest *nearest);
