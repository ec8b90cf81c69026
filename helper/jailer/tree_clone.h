/* Trees that share files with others. */
#pragma once

#include "helper/jailer/server.h"

/* Clones FROM into the empty directory TO, and takes the digest of what was made. *WAY is how. */
int tree_clone(const struct server *s, int from, int to, enum clone_way *way,
	       struct tree_digest *digest, struct error **err);

/* Gives TREE files of its own in place of those that it shares with others by hard links. */
int tree_break_links(const struct server *s, int tree, struct error **err);
