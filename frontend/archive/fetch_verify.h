/* Release files, which are verified before anything parses them. */
#pragma once

#include "frontend/archive/fetch_client.h"

/* Downloads the release files of all pockets, has the helper verify each, and then lets the fetch
 * process parse it. */
int fetch_verified_releases(struct fetch *f, struct error **err);
