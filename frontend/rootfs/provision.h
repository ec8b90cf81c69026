/* The conversation with the helper that turns verified packages and a profile into a rootfs. */
#pragma once

#include <stdbool.h>

#include "frontend/archive/packages.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/profile.h"
#include "frontend/rootfs/snapshot.h"

struct provision {
	int parent;	    /* the folder that is to hold the rootfs */
	const char *base;   /* its name in there */
	const char *engine; /* "native", "debootstrap" */
	bool replace;
	unsigned mode; /* 0700 or 0755: see Publish in proto/rootlet.proto */
	const struct profile *profile;
	struct fetch *fetch; /* with its packages chosen, but for provision_clone */
	struct progress *progress;
	const struct base *kept; /* to be made as well, or to be cloned; NULL: neither */
};

/* Downloads packages and builds. All or nothing: after a failure the helper removes what there is,
 * at the latest when stopped. */
int provision_rootfs(struct helper *h, const struct provision *p, struct error **err);

/* How the files of a clone and its base are shared, and why so. */
struct clone_report {
	const char *word, *why; /* "hard links", " below /usr, …" */
};

/* The same from a base that is there. *HOW then says how files are shared, *COUNT how many packages
 * there are, *LEFT_OUT (the caller's to free) what its manifest says of that. Returns 1 where the
 * base was damaged or of no use: it is gone, where the policy allows that, and nothing else has
 * happened. */
int provision_clone(struct helper *h, const struct provision *p, const struct clone_report **how,
		    size_t *count, char ***left_out, struct error **err);
