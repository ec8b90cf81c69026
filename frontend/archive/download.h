/* A file that is to be downloaded, and what came of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define DOWNLOAD_URLS 2

struct download {
	const char *what;	   /* for messages: "package attr" */
	char *urls[DOWNLOAD_URLS]; /* the next is asked where the one before does not exist */
	const uint8_t *sha256;	   /* NULL: into memory */
	uint64_t size;		   /* exactly; the most that is taken where there is no hash */
	bool optional;		   /* that no URL exists is no error */

	/* Results. */
	char *path; /* in the cache */
	char *data; /* in memory; a NUL follows its LENGTH bytes */
	size_t length;
	size_t url;   /* which of URLS had it */
	bool missing; /* none had it */
};

/* Told of each file as soon as it is there. What it returns below 0 ends it all. */
struct download_watch {
	int (*done)(const struct download *download, void *context, struct error **err);
	void *context;
	uint64_t files, bytes; /* of the same stage that are there already: progress counts them */
};

/* Frees the results and the URLs. */
void download_clear(struct download *download);

/* BASE/PATH with what may not stand in a URL's path percent-encoded; the caller's. */
char *download_url(const char *base, const char *path);
