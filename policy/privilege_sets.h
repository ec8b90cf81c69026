/* What each process of rootlet-helper may do, and the one of the front end that parses downloads:
 * for these to load, and for `rootlet policy seccomp` to print; with its lists of calls in
 * privilege_rules.h, all of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum privilege_set {
	PRIVILEGES_WAITER,  /* installed: waits for the others, with what the caller gave it */
	PRIVILEGES_AUDIT,   /* writes the audit log, waits for the jailer */
	PRIVILEGES_JAILER,  /* starts jails, gives trees their names */
	PRIVILEGES_PARSER,  /* reads what the front end sends */
	PRIVILEGES_JAIL,    /* package code, in the tree */
	PRIVILEGES_TOOL,    /* host programs on package data */
	PRIVILEGES_UNPACK,  /* rootlet-worker: writes what packages hold into the tree */
	PRIVILEGES_READER,  /* likewise: looks through a tree, which it cannot change */
	PRIVILEGES_COPIER,  /* likewise: copies a tree, which it cannot change, into another */
	PRIVILEGES_REMOVER, /* likewise: removes what is in a tree, and can write to no file of it
			     */
	PRIVILEGES_FETCH,   /* the front end's: downloads, and parses what comes */
	PRIVILEGES_COUNT,
};

/* What Landlock leaves of the files that the process could open. */
enum file_access {
	FILES_NONE,  /* not one */
	FILES_ANY,   /* no limit: who mounts cannot be under one */
	FILES_TREE,  /* everything below its root but new devices */
	FILES_TOOL,  /* /usr and its like to read and run; the staging, /tmp, /run, /dev, /proc */
	FILES_CACHE, /* its part of the cache to write; certificates, a local mirror to read */
};

struct privileges {
	const char *name;
	uint64_t capabilities;
	bool kill; /* what is not on the list ends the process; else EPERM, ENOSYS if unknown */
	bool contained; /* calls that write to the disk at once and core limits do nothing */
	enum file_access files;
};

extern const struct privileges privilege_sets[PRIVILEGES_COUNT];
