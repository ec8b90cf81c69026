/* What is done to a tree as a whole. A worker does it, in a jail that sees this tree and nothing
 * else; what reads several trees sees all but one of them read-only. */
#pragma once

#include "lib/beneath.h"
#include "proto/tree_facts.h"

struct server;

/* Each returns 0, or -1 with ERR set: ERR_INTERRUPTED if the front end has left or the request's
 * time limit has passed. TREE is a descriptor of a directory of the range's. */

int tree_count(const struct server *s, int tree, struct tree_census *census, struct error **err);
int tree_digest(const struct server *s, int tree, struct tree_digest *digest, struct error **err);

/* ERR_BUSY if something is mounted below TREE: the message says where. */
int tree_check_mounts(const struct server *s, int tree, struct error **err);

/* Clones FROM into the empty directory TO, and takes the digest of what was made. *WAY is how. */
int tree_clone(const struct server *s, int from, int to, enum clone_way *way,
	       struct tree_digest *digest, struct error **err);

/* Gives TREE files of its own in place of those that it shares with others by hard links. */
int tree_break_links(const struct server *s, int tree, struct error **err);

/* Empties TREE, a descriptor, and then removes NAME in PARENT, which goes only if it is an empty
 * directory by now: whoever exchanges names meanwhile loses nothing but names. Goes on to its end,
 * whoever leaves.
 */
int tree_remove(const struct server *s, int parent, const char *name, int tree, struct error **err);
