/* Determines what the programs of an fstests tree need in the guest before any of them can start:
 * for ELF programs what the loader must find, for scripts the interpreter in their first line. */
#pragma once

#include "lib/error.h"

/* File in the results directory; frontend/guest/fstests.sh reads it. Each line has tab-separated
 * words:
 *
 *   load    LOADER  PROGRAM    check that LOADER can load PROGRAM
 *   script  INTERPRETER  PROGRAM  COMMAND
 *                              what PROGRAM's first line names; COMMAND: for env, or empty
 *
 * PROGRAM is relative to the tree. One program stands for all with the same needs: a guest that
 * loads the listed few can load every program of the tree. */
#define NEEDS_FILE "rootlet.needs"

/* Scans TREE and writes NEEDS_FILE into the directory `dir`, replacing an existing one. Returns
 * 0, or -1 with ERR set. */
int needs_write(const char *tree, int dir, struct error **err);
