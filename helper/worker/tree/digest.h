/* The digest of a whole tree. File contents are hashed by one process per processor, each a child
 * of the process that asks. */
#pragma once

#include "lib/error.h"
#include "proto/tree_facts.h"

#define DIGEST_PROCESSES_MAX 8 /* including the process that asks */
#define DIGEST_ENTRIES_MAX (UINT64_C(1) << 22)

/* The digest of TREE, a descriptor. ERR_INPUT if it has too many entries. */
int digest_tree(int tree, struct tree_digest *digest, struct error **err);
