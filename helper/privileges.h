/* What a process may still do: capabilities, no_new_privs, securebits, limits, seccomp.
 * Everything here only takes away. Sources: capabilities(7), seccomp(2), libseccomp. */
#pragma once

#include "proto/error.h"

enum privilege_set {
	PRIVILEGES_OUTER,  /* waits for the jailer */
	PRIVILEGES_JAILER, /* starts jails, moves trees */
	PRIVILEGES_PARSER, /* reads what the front end sends */
	PRIVILEGES_JAIL,   /* package code, in the tree */
	PRIVILEGES_TOOL,   /* host programs on package data */
	PRIVILEGES_UNPACK, /* writes what packages hold into the tree */
};

/* Keeps the capabilities of the set's row, sets no_new_privs and loads its system calls.
 * Cannot be undone. Returns 0 or -1 with ERR set. */
int privileges_drop(enum privilege_set set, struct error **err);

/* Gives up every capability that is left. Cannot be undone. */
int privileges_renounce(struct error **err);
