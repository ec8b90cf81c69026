/* Sends the helper what a build is made of: release files, package lists and packages. */
#pragma once

#include "frontend/archive/packages.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"

/* Opens a file of the cache, or a keyring, to be sent. */
int hand_over_open(const char *path, struct error **err);

/* After Begin, Change or Extend. Downloads the packages of FETCH's set and sends them; the helper
 * unpacks some while others are still being downloaded. */
int hand_over(struct helper *h, struct fetch *fetch, struct progress *progress, struct error **err);
