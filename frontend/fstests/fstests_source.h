/* fstests itself: a built tree, which --build makes. */
#pragma once

#include "frontend/fstests/fstests.h"

struct fstests_source {
	char *folder; /* built; absolute */
	char *image;  /* of it, or NULL */
	char text[64];
};

/* ERR_INPUT where there is no tree of fstests, or one that is not built and without --build. */
int source_check(const struct fstests_options *options, struct error **err);

/* Finds the tree, builds it with --build (in a rootfs of the release of MANIFEST), and makes an
 * image of FORMAT (NULL: none, it is shared as a folder). ERR_INPUT where it is no tree of fstests,
 * or not built. */
int source_prepare(const struct fstests_options *options, const struct manifest *manifest,
		   const char *format, struct progress *progress, struct fstests_source *source,
		   struct error **err);
void source_free(struct fstests_source *source);
