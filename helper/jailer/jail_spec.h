/* What a jail consists of. */
#pragma once

#include <stdbool.h>

#include "policy/privilege_sets.h"
#include "proto/task.h"
#include "proto/tree_facts.h"

enum jail_kind {
	JAIL_TREE, /* the root is a tree; package code runs here */
	JAIL_TOOL, /* the host's /usr, read-only, and a staging directory at /staging */
	JAIL_WORK, /* a tree at /tree, possibly another one, read-only, at /source, and nothing
		    * else, not even /proc: only rootlet-worker runs here */
};

/* Shell scripts. All but the last are the second half of a build. */
enum jail_script {
	SCRIPT_CHANGE,	    /* of a copy of an older tree */
	SCRIPT_NATIVE,	    /* of a new tree, by this engine */
	SCRIPT_DEBOOTSTRAP, /* by this one */
	SCRIPT_DPKG,	    /* prints what dpkg finds wrong */
};

struct jail_spec {
	enum jail_kind kind;
	int root;		   /* the tree or the staging directory; -1: none (JAIL_TOOL) */
	int source;		   /* JAIL_WORK: the other tree, if > 0 */
	bool read_only;		   /* JAIL_TOOL, JAIL_WORK: nothing in ROOT can be changed */
	enum privilege_set set;	   /* JAIL_WORK */
	const struct task *task;   /* the request whose command runs (jail_command.c) */
	enum jail_script script;   /* instead of TASK */
	struct tree_census census; /* of a tree whose image needs a size; else empty */
	const char *worker;	   /* instead of a command: the job that rootlet-worker does */
	int program, socket;	   /* for the worker: from worker_open(); its descriptor 3 */
	int file;	  /* > 0: the program's descriptor 3, which it may reopen by its number */
	const char *user; /* of the tree; NULL: root */
	uint32_t epoch;	  /* the program's SOURCE_DATE_EPOCH; 0: none */
	bool terminal;	  /* standard input becomes the controlling terminal */
	int stdio[3];	  /* not closed; -1: /dev/null of the jail */
};
