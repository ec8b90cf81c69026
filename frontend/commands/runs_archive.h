/* rootlet runs archive: a run as one file for an issue tracker. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Packs the run NAME into OUTPUT, or RUN.tar.gz if that is NULL. Returns an exit status, or -1 with
 * ERR set. */
int runs_archive(bool json, const char *name, const char *output, struct error **err);
