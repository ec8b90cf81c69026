/* Reads a .deb once, from its beginning to its end: what is hashed and what libarchive parses are
 * the same bytes, whatever becomes of the file meanwhile. Runs in the unpack jail. Formats: deb(5),
 * ar(5), tar(5). */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>

#include "proto/error.h"
#include "helper/hash.h"
#include "proto/validate.h"

#define DEB_BLOCK (64 * 1024)

struct deb {
	const char *name; /* of the package, for messages */
	int fd, copy;	  /* COPY: -1, or to where all that is read goes as well */
	uint64_t at, size;
	struct sha256_ctx hash;
	struct archive *outer, *tar; /* TAR: the member that is open */
	struct error *error;	     /* of the read or the copy, which libarchive cannot carry */
	unsigned char block[DEB_BLOCK], member[DEB_BLOCK];
};

/* Starts to read FD (the caller's). ERR_PACKAGE where it is no .deb of format 2. */
int deb_open(struct deb *d, const char *name, int fd, struct error **err);

/* Goes on to the member "control.tar" or "data.tar", compressed with xz, zstd, gzip or not at all,
 * which must be the next one. D->tar then reads it. */
int deb_member(struct deb *d, const char *member, struct error **err);

/* The next entry of the open member: 1 and *ENTRY, 0 at its end, -1 with ERR set. */
int deb_entry(struct deb *d, struct archive_entry **entry, struct error **err);

/* Reads to the end of the file. ERR_TRUST where the hash of all that was read is not WANT. */
int deb_finish(struct deb *d, const uint8_t want[static SHA256_LEN], struct error **err);

/* Reads all of the file once more and writes it to COPY (the caller's). ERR_TRUST as above. */
int deb_keep(struct deb *d, int copy, const uint8_t want[static SHA256_LEN], struct error **err);

void deb_close(struct deb *d);
