/* One walk through a tree, which may hold anything. It follows no link and enters no other mount.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "proto/tree_facts.h"

struct walk {
	/* What to do with NAME in DIRECTORY, which PATH is; directories are visited after what is
	 * in them. -1 ends the walk: with ERROR, or errno, as its reason. */
	int (*visit)(struct walk *w, int directory, const char *name, const struct statx *st);
	void *context;
	const char *skip; /* a path that is passed over, or NULL */
	int top;	  /* where directories go that lie too deep; -1: they are an error */
	unsigned hoisted; /* how many did */
	struct error *error;
	char path[PATH_LENGTH_MAX]; /* below the top; what has no room is left out, and CUT */
	unsigned cut;
};

/* Visits all that is in TREE (the caller's), but not TREE itself. Returns 0, or -1 with W->error or
 * errno set: ELOOP if a directory lies too deep, EXDEV if something is mounted in there. */
int walk(struct walk *w, int tree);

/* Why it has failed, and where: "cannot WHAT: …". ERR_BUSY for a mount. Returns -1. */
int walk_explain(struct walk *w, const char *what, struct error **err);

/* 0 if nothing is mounted below TREE, else -1 with ERR_BUSY that says where. */
int check_mounts(int tree, struct error **err);

/* Removes all that is in TREE. */
int empty_tree(int tree, struct error **err);
