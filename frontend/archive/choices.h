/* The packages that were chosen. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/validate.h"

/* A chosen package. FILENAME is its path at the mirror of INDEX's pocket. It comes from the
 * archive, so use it only in URLs, never as a path on this host. */
struct choice {
	char *name, *version, *arch, *filename;
	char *source, *source_version; /* the source package it was built from */
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
	size_t index;
	int id; /* in libsolv */
};

/* What the rootfs gets, and what it loses. */
struct choices {
	struct choice *list; /* sorted by name */
	size_t count;
	char **left_out; /* NULL-terminated: words of OPTIONAL that no index has; NULL: none */
	char **removed;	 /* likewise: installed packages that have to go */
};

/* For qsort() and bsearch(). */
int choice_by_name(const void *a, const void *b);

void choices_clear(struct choices *choices);
