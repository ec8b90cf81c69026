/* Published rootfs: a directory that any web server can serve. It is an archive as apt knows it,
 * whose packages are the pieces of a rootfs (pieces.h), so that create fetches and checks it like
 * any other:
 *
 *	dists/NAME/InRelease	the newest generation: clear-signed, with an expiry date
 *	dists/NAME.N/InRelease	generation N
 *	dists/NAME/...		what it lists: Packages, lock, SBOM, provenance
 *	pool/HASH.deb		the pieces of all generations and names
 *
 * Format: DebianRepository/Format in Debian's wiki. */
#pragma once

#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/pieces.h"
#include "frontend/rootfs/publication_prune.h"
#include "frontend/rootfs/published.h"

struct publication {
	const char *directory; /* created if it is missing */
	const char *name;      /* valid_archive_word() */
	const char *key;       /* that gpg signs with */
	unsigned days;	       /* until it expires */
	unsigned keep;	       /* generations that stay, with the new one; 0: all */
	const struct manifest *manifest;
	const char *lock, *provenance; /* texts to publish with it */
	const char *path;	       /* of the rootfs, for messages */
	int tree;		       /* from store_open(), locked */
};

struct published {
	unsigned generation;
	size_t pieces;
	struct pruned pruned;
};

/* HELPER makes an archive of the tree. ERR_BUSY if another process publishes to the directory.
 * Until the last step, clients see the generation before. */
int publication_write(struct helper *helper, const struct publication *p, struct progress *progress,
		      struct published *out, struct error **err);
