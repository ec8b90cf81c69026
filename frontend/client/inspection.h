/* The helper's Inspect, as `check` and `list` use it. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"

/* Counts what is below TREE; DEEP also asks dpkg, whose output goes to the log. */
int inspect_tree(struct helper *h, int tree, bool deep, struct answer *answer, struct error **err);
