/* What a tree is, in one number. The content of its files is hashed by as many processes as there
 * are processors, each a child of who asks. */
#pragma once

#include "lib/error.h"
#include "proto/tree_facts.h"

#define DIGEST_PROCESSES_MAX 8 /* with the caller's */
#define DIGEST_ENTRIES_MAX (UINT64_C(1) << 22)

/* The digest of TREE, a descriptor. ERR_INPUT if it has too many entries. */
int digest_tree(int tree, struct tree_digest *digest, struct error **err);
