/* rootlet runs list: every run, and how it ended. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Returns an exit status, or -1 with ERR set. */
int runs_list(bool json, struct error **err);
