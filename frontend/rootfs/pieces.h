/* The pieces of a published rootfs: .debs that have some of its files each, as they are. Those of
 * one generation are the same bytes in the next, unless one of their files has changed. Made in a
 * confined process. Formats: deb(5), tar(5), ar(5). */
#pragma once

#include "frontend/cli/progress.h"
#include "lib/error.h"

/* Its files are the directories of the tree, and it depends on all other pieces. Its name sorts
 * before theirs: the helper unpacks it first. */
#define PIECE_DIRECTORIES "00-directories"

/* Writes the pieces of TAR, which BuildImage made, into the existing directory POOL (absolute),
 * each under the hash of its bytes with the suffix ".deb". *INDEX becomes the Packages file that
 * lists them, which the caller frees, and *COUNT their number. ERR_INPUT if a file of the tree
 * cannot be published. */
int pieces_pack(int tar, const char *pool, struct progress *progress, char **index, size_t *count,
		struct error **err);
