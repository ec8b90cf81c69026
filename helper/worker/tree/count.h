/* Counts and sizes of what a tree contains. */
#pragma once

#include "lib/error.h"
#include "proto/tree_facts.h"

/* Counts TREE and everything in it. */
int count_tree(int tree, struct tree_census *census, struct error **err);
