/* Parses profiles. */
#pragma once

#include "frontend/rootfs/profile.h"

/* Reads the profile NAME, which the current one extends, into the same struct. */
typedef int profile_extend(const char *name, void *context, struct error **err);

/* Parses TEXT and adds it to PROFILE. FILE is its name in messages, and must live as long as
 * PROFILE. ERR_INPUT ("FILE:LINE: …") if it is malformed. */
int profile_parse(struct profile *profile, const char *file, const char *text,
		  profile_extend *extend, void *context, struct error **err);
