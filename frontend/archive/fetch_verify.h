/* Release files, verified before anything parses them. */
#pragma once

#include "frontend/archive/fetch_client.h"

/* Downloads the release files of all pockets, has the helper verify each, and lets the process
 * parse it then. */
int fetch_verified_releases(struct fetch *f, struct error **err);
