/* The directory in which a tree is built: it lies beside the destination, and only the range's
 * first id can enter it. */
#pragma once

#include "helper/jailer/server.h"

/* The names in a staging directory: the tree, and the closed directory around it. */
#define STAGED_TREE "tree"
#define STAGED_CLOSED "closed"

/* Creates and locks the directory NAME in PARENT, which only the range's first id can enter, with
 * an empty directory "tree" in it; *TREE becomes open on that. The lock lasts until the last
 * process that holds it is gone. Returns the directory's descriptor, or -1 with ERR set. */
int staging_open(const struct server *s, int parent, const char *name, int *tree,
		 struct error **err);

/* Creates and locks the staging directory for NAME in PARENT, with an empty tree in it. S holds all
 * of it then. */
int staging_make(struct server *s, int parent, const char *name, struct error **err);

/* Moves the tree of STAGING into a directory of its own there, which only the range's first id can
 * enter. Returns 0, or -1 with ERR set: ERR_TRUST if it is not TREE. */
int staging_close(int staging, int tree, struct error **err);

/* Opens OWN_DIR of TREE, and creates it if it is missing. -1 with errno set: EXDEV or ELOOP if
 * the tree's scripts have put something else in its place. */
int own_dir_make(int tree);

/* Copies the manifest FROM into TREE. */
int manifest_place(int tree, int from, struct error **err);

/* Ends the verifier and the unpacker, and removes the staging directory, if there is one. */
void staging_abandon(struct server *s);
