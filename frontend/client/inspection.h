/* The helper's Inspect request, as `check` and `list` use it. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"

/* Counts files and bytes in TREE. DEEP also runs dpkg, with its output in the log. */
int inspect_tree(struct helper *h, int tree, bool deep, struct answer *answer, struct error **err);
