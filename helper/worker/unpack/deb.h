/* Reads a .deb, of which another process has made sure that its hash is right: unpacker.c. Formats:
 * deb(5), ar(5), tar(5). */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

#define DEB_BLOCK (64 * 1024)

struct deb {
	const char *name; /* of the package, for messages */
	int fd;
	struct archive *outer, *tar; /* TAR: the member that is open */
	unsigned char block[DEB_BLOCK], member[DEB_BLOCK];
};

/* Starts to read FD (the caller's, at its start). ERR_PACKAGE where it is no .deb of format 2. */
int deb_open(struct deb *d, const char *name, int fd, struct error **err);

/* Goes on to the member "control.tar" or "data.tar", compressed with xz, zstd, gzip or not at all,
 * which must be the next one. D->tar then reads it. */
int deb_member(struct deb *d, const char *member, struct error **err);

/* The next entry of the open member: 1 and *ENTRY, 0 at its end, -1 with ERR set. */
int deb_entry(struct deb *d, struct archive_entry **entry, struct error **err);

void deb_close(struct deb *d);
