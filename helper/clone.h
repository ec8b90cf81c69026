/* Copies of whole trees. Files are shared where nobody can see it: by reflink, or else by hard
 * links below /usr, where nothing of a tree's own is to write. A tree that has such links says so
 * in /etc/rootlet/linked, and is parted from the others before the first program in it may write.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helper/digest.h"
#include "proto/error.h"

#define OWN_FOLDER "etc/rootlet" /* of rootlet's own files in a tree; none is copied */
#define LINKED_MARK OWN_FOLDER "/linked"

enum clone_way { CLONE_REFLINK = 1, CLONE_LINK, CLONE_COPY };

struct server;

/* Each ends with ERR_INTERRUPTED where the front end of the SERVER has left, or the time is over.
 */

/* Copies FROM into the empty folder TO, and takes the digest of what it made. *WAY is how. */
int clone_tree(const struct server *s, int from, int to, enum clone_way *way,
	       struct tree_digest *digest, struct error **err);

/* The digest of a tree. */
int clone_digest(const struct server *s, int tree, struct tree_digest *digest, struct error **err);

/* Gives TREE files of its own in place of those that it shares with others by links. */
int clone_part(const struct server *s, int tree, struct error **err);
