/* The helper's Inspect request. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"

/* Counts files and bytes in TREE. DEEP also runs dpkg, with its output in the log. */
int inspect_tree(struct helper *h, int tree, bool deep, struct answer *answer, struct error **err);

/* The digest of TREE, as struct tree_digest describes it. Reads all of the tree. */
int inspect_digest(struct helper *h, int tree, uint8_t sum[static SHA256_LEN], struct error **err);
