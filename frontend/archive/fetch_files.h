/* Files that the release file of the main pocket lists, other than package lists. */
#pragma once

#include "frontend/archive/fetch_state.h"
#include "frontend/archive/release.h"

/* Sets the URLs of FILE in DIRECTORY ("main/", or "") for D: by hash if the mirror supports it, as
 * for package lists. */
int signed_file_urls(const struct fetch_work *w, const char *directory, const char *file,
		     const struct release_file *signed_as, struct download *d, struct error **err);

/* Downloads PATH into the cache, unless it is there. ERR_MISSING if the release file does not list
 * it. */
int work_file(struct fetch_work *w, const char *path, struct error **err);
