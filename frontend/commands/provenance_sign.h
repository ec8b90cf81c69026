/* The signed provenance of a rootfs: a statement (provenance.h) in an envelope (envelope.h). */
#pragma once

#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"

struct provenance_subject {
	struct helper *helper; /* reads the tree */
	int tree;
	const struct manifest *manifest;
	const char *name, *path; /* of the rootfs */
	const char *record;	 /* hash of the audit record of its making, or NULL */
};

/* KEY as in openpgp_sign(). The caller frees TEXT. */
int provenance_sign(const struct provenance_subject *s, const char *key, char **text,
		    struct error **err);
