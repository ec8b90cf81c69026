/* The conversation with the helper that turns verified packages and a profile into a rootfs. */
#pragma once

#include <stdbool.h>

#include "frontend/client.h"
#include "frontend/packages.h"
#include "frontend/profile.h"
#include "frontend/progress.h"

struct provision {
	int parent;	    /* the folder that is to hold the rootfs */
	const char *base;   /* its name in there */
	const char *engine; /* "debootstrap" */
	bool replace;
	const struct profile *profile;
	const struct package_set *set;
	struct progress *progress;
};

/* All or nothing: after a failure the helper removes what there is, at the latest when stopped. */
int provision_rootfs(struct helper *h, const struct provision *p, struct error **err);
