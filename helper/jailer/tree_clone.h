/* Trees that share files with others. */
#pragma once

#include "helper/jailer/server.h"

/* Clones FROM into the empty directory TO, and computes the digest of the clone. *WAY becomes how
 * it was cloned. */
int tree_clone(const struct server *s, int from, int to, enum clone_way *way,
	       struct tree_digest *digest, struct error **err);

/* The same, but TO shares no file with FROM, and has no digest: programs will change it. */
int tree_copy(const struct server *s, int from, int to, struct error **err);

/* Breaks TREE's hard links to other trees: gives it its own copies of the files that it shares. */
int tree_break_links(const struct server *s, int tree, struct error **err);
