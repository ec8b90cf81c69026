/* Copies of whole trees. Files are shared if nobody can notice: by reflinks, or by hard links below
 * /usr, where a tree should write nothing of its own. The jailer makes the hard links
 * (helper/jailer/tree_clone.c), because a process with a link to another tree's file could write to
 * it. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"
#include "proto/tree_facts.h"

/* Copies FROM into the empty directory TO. WAY is CLONE_LINK if files below /usr are to be linked,
 * else CLONE_COPY; it becomes CLONE_REFLINK if that is possible. With CLONE_LINK, TO gets none of
 * these files. Instead, *NAMES becomes a memfd, owned by the caller, that lists them: for each
 * directory its path, a NUL, the names in it, each with a NUL, and one more NUL. It is -1
 * otherwise. */
int clone_tree(int from, int to, enum clone_way *way, int *names, struct error **err);

/* Copies the files of FROM below /usr that have several names into the empty directory TO, and
 * lists them in the same way. They are to replace the originals. */
int clone_linked(int from, int to, int *names, struct error **err);
