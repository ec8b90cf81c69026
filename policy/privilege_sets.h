/* What each process of rootlet-helper may do, and the front end's process that parses downloads.
 * They load these sets, and `rootlet policy seccomp` prints them. Together with the lists of calls
 * in privilege_rules.h, this is complete. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum privilege_set {
	PRIVILEGES_WAITER,    /* installed mode: started by the caller; waits for the others */
	PRIVILEGES_AUDIT,     /* writes the audit log and waits for the jailer */
	PRIVILEGES_JAILER,    /* starts jails, gives trees their names */
	PRIVILEGES_PARSER,    /* reads what the front end sends */
	PRIVILEGES_JAIL,      /* package code in the tree */
	PRIVILEGES_TOOL,      /* host programs on package data */
	PRIVILEGES_UNPACK,    /* rootlet-worker: unpacks packages into the tree */
	PRIVILEGES_ASSEMBLER, /* rootlet-worker: the same with the pieces of a published tree */
	PRIVILEGES_READER,    /* rootlet-worker: reads a tree, which it cannot change */
	PRIVILEGES_COPIER,    /* rootlet-worker: copies a tree, which it cannot change */
	PRIVILEGES_REMOVER,   /* rootlet-worker: empties a tree, and can write to no file in it */
	PRIVILEGES_FETCH,     /* the front end's: downloads and parses the downloads */
	PRIVILEGES_COUNT,
};

/* The files that Landlock leaves to the process, of those that it could open otherwise. */
enum file_access {
	FILES_NONE,  /* none */
	FILES_ANY,   /* all: a process that mounts cannot be in a domain */
	FILES_TREE,  /* everything below its root, except new devices */
	FILES_TOOL,  /* /usr and the like to read and run; /staging, /tmp, /run, /dev, /proc */
	FILES_CACHE, /* to write: its part of the cache; to read: certificates, a local mirror */
};

struct privileges {
	const char *name;
	uint64_t capabilities;
	bool kill; /* calls that are not listed kill the process; else EPERM, or ENOSYS if unknown
		    */
	bool contained; /* sync calls and core limits have no effect */
	enum file_access files;
};

extern const struct privileges privilege_sets[PRIVILEGES_COUNT];
