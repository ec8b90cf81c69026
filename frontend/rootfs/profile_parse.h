/* What profile.c and its parser share. */
#pragma once

#include "frontend/rootfs/profile.h"

/* Reads the profile NAME, which another one extends, into the same struct. */
typedef int profile_extend(const char *name, void *context, struct error **err);

/* Adds what TEXT says to PROFILE. FILE is its name for messages, and has to live as long as the
 * profile. ERR_INPUT ("FILE:LINE: …") where it is wrong. */
int profile_parse(struct profile *profile, const char *file, const char *text,
		  profile_extend *extend, void *context, struct error **err);

struct account_group *profile_group(const struct profile *p, const char *name);
struct account_group *profile_add_group(struct profile *p, const char *name, const char *file,
					unsigned line);
