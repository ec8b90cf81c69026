/* A walk through a tree, which may contain anything. Follows no links and enters no other
 * mounts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "proto/tree_facts.h"

struct walk {
	/* Called for each NAME in DIRECTORY; PATH is its path. Directories are visited after their
	 * content. -1 ends the walk, and ERROR or errno is the reason. */
	int (*visit)(struct walk *w, int directory, const char *name, const struct statx *st);
	void *context;
	const char *skip; /* a path to skip, or NULL */
	int top;	  /* where directories that are too deep are moved; -1: they are an error */
	unsigned hoisted; /* how many were moved */
	struct error *error;
	char path[PATH_LENGTH_MAX]; /* below the top; names that do not fit are left out and counted
				       in CUT */
	unsigned cut;
};

/* Visits everything in TREE, which stays open, but not TREE itself. Returns 0, or -1 with W->error
 * or errno set: ELOOP if a directory is too deep, EXDEV if something is mounted in the tree. */
int walk(struct walk *w, int tree);

/* Reports why the walk failed, and where: "cannot WHAT: …". ERR_BUSY for a mount. Returns -1. */
int walk_explain(struct walk *w, const char *what, struct error **err);

/* Returns 0 if nothing is mounted below TREE, else -1 with ERR_BUSY; the message says where. */
int check_mounts(int tree, struct error **err);

/* Removes everything in TREE. */
int empty_tree(int tree, struct error **err);
