/* Reads a .deb whose hash another process has verified: unpacker.c. Formats: deb(5), ar(5),
 * tar(5). */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

#define DEB_BLOCK (64 * 1024)

struct deb {
	const char *name; /* package name, for messages */
	int fd;
	struct archive *outer, *tar; /* TAR: the open member */
	unsigned char block[DEB_BLOCK], member[DEB_BLOCK];
};

/* Starts to read FD, which is at its start and stays open. ERR_PACKAGE if it is not a .deb of
 * format 2. */
int deb_open(struct deb *d, const char *name, int fd, struct error **err);

/* Moves to the member "control.tar" or "data.tar", compressed with xz, zstd, gzip or not at all,
 * which must be the next one. D->tar then reads it. */
int deb_member(struct deb *d, const char *member, struct error **err);

/* Reads the next entry of the open member. Returns 1 with *ENTRY set, 0 at the end, or -1 with ERR
 * set. */
int deb_entry(struct deb *d, struct archive_entry **entry, struct error **err);

void deb_close(struct deb *d);
