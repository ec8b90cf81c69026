/* What the programs of a tree of fstests need of the guest before any of them can start: for the
 * ELF programs what the loader must find, for scripts the program in their first line. */
#pragma once

#include "lib/error.h"

/* In the folder of results; read by frontend/guest/fstests.sh. Lines of words with a tab between:
 *
 *   load    LOADER  PROGRAM    PROGRAM must load
 *   script  INTERPRETER  PROGRAM  COMMAND
 *                              what PROGRAM begins with; COMMAND: for env to find, else empty
 *
 * PROGRAM is relative to the tree. Of programs that need the same, one stands there for all: a
 * guest that loads these few loads each program of the tree. */
#define NEEDS_FILE "rootlet.needs"

/* Looks through TREE and writes NEEDS_FILE into the directory FOLDER, in place of one that is
 * there. Returns 0, or -1 with ERR set. */
int needs_write(const char *tree, int folder, struct error **err);
