/* Directories that a guest sees over its rootfs, as "make install DESTDIR=DIR" leaves them. Each
 * becomes an image, in which everything belongs to root. */
#pragma once

#include "frontend/vm/vm_config.h"
#include "lib/error.h"
#include "lib/hash.h"

/* "rootlet-overlay0" is the serial number of the disk that lies directly on the rootfs. */
#define OVERLAY_DISK "rootlet-overlay"

struct overlay {
	char *path;			 /* absolute, without links */
	char *image;			 /* NULL until overlay_build() */
	char sha256[2 * SHA256_LEN + 1]; /* of its content: overlay_open() */
};

/* Finds the directory GIVEN, and computes the hash of its content: names, types, modes, targets of
 * links, and data. ERR_INPUT if it is none, or has what cannot be in an image. The caller clears O
 * in any case. */
int overlay_open(const char *given, struct overlay *o, struct error **err);

/* Finds or builds the image, in FORMAT as for image_of_dir(). */
int overlay_build(struct overlay *o, const char *format, struct error **err);

void overlay_clear(struct overlay *o);
