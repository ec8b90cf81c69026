/* The whole of what each process of rootlet-helper may do, and the one of the front end that parses
 * downloads: for these to load, and for `rootlet policy seccomp` to print. The lists of calls are
 * policy/seccomp/NAME.list, compiled in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum privilege_set {
	PRIVILEGES_WAITER, /* installed: waits for the others, with what the caller gave it */
	PRIVILEGES_OUTER,  /* keeps the record, waits for the jailer */
	PRIVILEGES_JAILER, /* starts jails, moves trees */
	PRIVILEGES_PARSER, /* reads what the front end sends */
	PRIVILEGES_JAIL,   /* package code, in the tree */
	PRIVILEGES_TOOL,   /* host programs on package data */
	PRIVILEGES_UNPACK, /* writes what packages hold into the tree */
	PRIVILEGES_FETCH,  /* the front end's: downloads, and parses what comes */
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

struct argument_value {
	const char *name; /* NULL ends an array */
	uint32_t value;
};

/* What a call may be told: the kernel looks at the lower 32 bits of these arguments only. */
struct argument_rule {
	const char *call;  /* NULL ends an array */
	unsigned argument; /* from 0 on */
	bool bits;	   /* none but these bits; else one of these values */
	const struct argument_value *values;
};

struct call_list {
	const char *const *calls; /* NULL-terminated */
	const struct argument_rule *arguments;
};

#define PRIVILEGES_LISTS 3 /* of one set, at most */

struct privileges {
	const char *name;
	uint64_t capabilities;
	const struct call_list *lists[PRIVILEGES_LISTS]; /* their union; NULL where there are fewer
							  */
	bool kill; /* what is not on the list ends the process; else EPERM, ENOSYS if unknown */
	bool contained; /* calls that write to the disk at once and core limits do nothing */
	enum file_access files;
};

extern const struct privileges privilege_sets[PRIVILEGES_COUNT];

/* The call NAME is on one of the set's lists. */
bool privileges_list(const struct privileges *p, const char *name);

/* RULE is the first of the set's about its argument: those of its other lists add to it. */
bool privileges_is_first(const struct privileges *p, const struct argument_rule *rule);

/* The set's rule of list I about the argument of RULE, or NULL. */
const struct argument_rule *privileges_rule(const struct privileges *p, size_t i,
					    const struct argument_rule *rule);

/* A call that writes to the disk at once: contained sets take it and do nothing. */
bool privileges_sync_call(const char *name);
