/* Finds and reads profiles. */
#pragma once

#include "frontend/rootfs/profile.h"

/* ERR_MISSING where there is none of that name, ERR_INPUT ("FILE:LINE: …") where it is wrong. */
int profile_load(const char *name, struct profile **out, struct error **err);

/* The profile in a file anywhere, NAME.conf. */
int profile_load_file(const char *path, struct profile **out, struct error **err);
