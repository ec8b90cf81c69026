/* The whole of what each process of rootlet-helper may do, for the helper to load and for `rootlet
 * policy seccomp` to print. The lists of calls are policy/seccomp/NAME.list, compiled in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum privilege_set {
	PRIVILEGES_OUTER,  /* keeps the record, waits for the jailer */
	PRIVILEGES_JAILER, /* starts jails, moves trees */
	PRIVILEGES_PARSER, /* reads what the front end sends */
	PRIVILEGES_JAIL,   /* package code, in the tree */
	PRIVILEGES_TOOL,   /* host programs on package data */
	PRIVILEGES_UNPACK, /* writes what packages hold into the tree */
	PRIVILEGES_COUNT,
};

/* What Landlock leaves of the files that the process could open. */
enum file_access {
	FILES_NONE, /* not one */
	FILES_ANY,  /* no limit: who mounts cannot be under one */
	FILES_TREE, /* everything below its root but new devices */
	FILES_TOOL, /* /usr and its like to read and run; the staging, /tmp, /run, /dev, /proc */
};

struct privileges {
	const char *name;
	uint64_t capabilities;
	const char *const *lists[4]; /* NULL-terminated names of calls; the list is their union */
	bool kill; /* what is not on the list ends the process; else EPERM, ENOSYS if unknown */
	bool contained; /* the calls that take arguments are narrowed, sync calls do nothing */
	enum file_access files;
};

extern const struct privileges privilege_sets[PRIVILEGES_COUNT];

/* The call NAME is on one of the set's lists. */
bool privileges_list(const struct privileges *p, const char *name);

/* A call that writes to the disk at once: contained sets take it and do nothing. */
bool privileges_sync_call(const char *name);
