/* Parses profiles. */
#pragma once

#include "frontend/rootfs/profile.h"

/* Reads the profile NAME, which another one extends, into the same struct. */
typedef int profile_extend(const char *name, void *context, struct error **err);

/* Adds what TEXT says to PROFILE. FILE is its name for messages, and has to live as long as the
 * profile. ERR_INPUT ("FILE:LINE: …") where it is wrong. */
int profile_parse(struct profile *profile, const char *file, const char *text,
		  profile_extend *extend, void *context, struct error **err);
