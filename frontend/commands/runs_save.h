/* rootlet runs save and baselines. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Each returns the exit status, or -1 with ERR set. NAME: --as. */
int runs_save(bool json, char **words, const char *name, struct error **err);
int runs_baselines(bool json, struct error **err);
