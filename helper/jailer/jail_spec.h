/* What a jail is to be. */
#pragma once

#include <stdbool.h>

#include "policy/privilege_sets.h"

enum jail_kind {
	JAIL_TREE, /* a tree as its root, and all that package code may do */
	JAIL_TOOL, /* the host's /usr, read-only, and a staging folder at /staging */
	JAIL_WORK, /* a tree at /tree, another one, read-only, at /source, and nothing else, not
		    * even /proc: rootlet-worker runs there, and no other program */
};

struct jail_spec {
	enum jail_kind kind;
	int root;	/* directory: the tree, or the staging folder; -1: none (JAIL_TOOL) */
	int source;	/* JAIL_WORK: > 0: the other tree */
	bool read_only; /* JAIL_TOOL, JAIL_WORK: nothing in ROOT can be changed */
	enum privilege_set set;	 /* JAIL_WORK */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *worker;	 /* in place of argv: what rootlet-worker does there */
	int program, socket;	 /* the worker's: worker_open(); its descriptor 3 */
	int file; /* > 0: the program's descriptor 3, which it may open anew by its number */
	const char *user; /* of the tree; NULL: root */
	bool terminal;	  /* standard input becomes the controlling terminal */
	int stdio[3];	  /* stay the caller's; -1: /dev/null of the jail */
};
