/* Filesystem images in the cache, named by the path of their source and its state:
 * images/PLACE-STATE.FORMAT. A damaged image is rebuilt: see sums.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* Writes the image to FD, an empty, unlinked file that anyone with the descriptor may write to. */
typedef int image_builder(int fd, void *context, struct error **err);

/* Finds or builds the image of PLACE in STATE (SIZE bytes); concurrent callers build it once.
 * Removes images of PLACE in other states, and all images unused for a month. The caller frees
 * PATH. */
int image_cached(const char *place, const void *state, size_t size, const char *format,
		 image_builder *build, void *context, char **path, struct error **err);

/* An image of a user's directory, without its .git, in FORMAT "erofs", "ext4" or "squashfs". */
int image_of_dir(const char *path, const char *format, char **image, struct error **err);

/* Whether this host has the program that makes images in FORMAT. */
bool image_can_make(const char *format);
