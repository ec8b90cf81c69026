/* Finds and reads profiles. */
#pragma once

#include "frontend/rootfs/profile.h"

/* ERR_INPUT if there is no such profile, or ("FILE:LINE: …") if it is malformed. */
int profile_load(const char *name, struct profile **out, struct error **err);

/* Reads a profile from NAME.conf in any directory. */
int profile_load_file(const char *path, struct profile **out, struct error **err);
