/* Filesystem images in the cache, each named by the place of what it is made of and by the state in
 * which that was: images/PLACE-STATE.FORMAT. One that is damaged is made anew: sums.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* Writes the image into FD, an empty file that anybody may write to and nobody can reach. */
typedef int image_builder(int fd, void *context, struct error **err);

/* Finds or builds the image of PLACE in STATE (SIZE bytes). Two callers at once build it once. What
 * there is of PLACE in other states goes; so does what was not used for a month. PATH is the
 * caller's. */
int image_cached(const char *place, const void *state, size_t size, const char *format,
		 image_builder *build, void *context, char **path, struct error **err);

/* A folder of the user's as an image of FORMAT ("erofs", "ext4", "squashfs"), without its .git. */
int image_of_folder(const char *path, const char *format, char **image, struct error **err);

/* Whether this host has the program that makes images of FORMAT. */
bool image_can_make(const char *format);
