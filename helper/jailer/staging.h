/* Where a tree is made: a directory beside its destination that nobody but the range's first id
 * can enter. */
#pragma once

#include "helper/jailer/server.h"

/* The names in a staging directory: the tree, and the closed directory around it. */
#define STAGED_TREE "tree"
#define STAGED_CLOSED "closed"

/* Makes and locks the folder NAME in PARENT, which nobody but the range's first id can enter, with
 * an empty folder "tree" in it, which TREE is open on. The lock goes with the last process that
 * holds it. Returns its descriptor, or -1 with ERR set. */
int staging_open(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err);

/* Makes and locks the staging folder for NAME in the folder PARENT, and an empty tree in it, all of
 * which S holds then. */
int staging_make(struct server *s, int parent, const char *name, struct error **err);

/* Puts the tree of STAGING into a directory of its own there that only the range's first id can
 * enter. Returns 0, or -1 with ERR set: ERR_TRUST if it is not TREE. */
int staging_close(int staging, int tree, struct error **err);

/* Writes the manifest into a tree. */
int manifest_place(int tree, int from, struct error **err);

/* Ends the verifier and removes the staging, if there is one. */
void staging_abandon(struct server *s);
