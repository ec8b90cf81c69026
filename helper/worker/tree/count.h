/* What a tree holds, as numbers. */
#pragma once

#include "lib/error.h"
#include "proto/tree_facts.h"

/* Counts what is in TREE, and TREE itself. */
int count_tree(int tree, struct tree_census *census, struct error **err);
