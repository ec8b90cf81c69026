/* Writes one piece as a .deb whose bytes depend on nothing but its files. Formats: deb(5),
 * deb-control(5), ar(5). */
#pragma once

#include <stdint.h>

#include "lib/error.h"
#include "lib/hex.h"

#define PIECE_NAME_SIZE 48

struct piece_file {
	char name[PIECE_NAME_SIZE]; /* of the package */
	uint8_t sha256[SHA256_LEN]; /* of the .deb */
	uint64_t size;
};

/* FILES is the tar archive of the piece's files. Writes POOL/HASH.deb, unless it exists. NAME: ""
 * for a name made from the hash of FILES. Fills in PIECE. */
int piece_file_write(int files, int pool, const char *name, struct piece_file *piece,
		     struct error **err);
