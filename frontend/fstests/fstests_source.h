/* The fstests tree: one that the user built, or one built by --build. */
#pragma once

#include "frontend/fstests/fstests.h"

struct fstests_source {
	char *dir;   /* absolute path of the built tree */
	char *image; /* image of the tree, or NULL */
	char text[64];
};

/* Sets ERR_INPUT if the tree is missing or not fstests, or if it is not built and --build is not
 * given. */
int source_check(const struct fstests_options *options, struct error **err);

/* Finds the tree, with --build builds it in a rootfs of MANIFEST's release, and creates an image of
 * type FORMAT (NULL: shares the directory instead). Sets ERR_INPUT if it is not an fstests tree or
 * not built. */
int source_prepare(const struct fstests_options *options, const struct manifest *manifest,
		   const char *format, struct progress *progress, struct fstests_source *source,
		   struct error **err);
void source_free(struct fstests_source *source);
