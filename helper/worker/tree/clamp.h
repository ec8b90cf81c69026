/* Makes a tree's times reproducible. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

/* Sets each modification time in TREE later than EPOCH to it, seconds since 1970, including that of
 * TREE itself. */
int clamp_times(int tree, int64_t epoch, struct error **err);
