/* A file to download, and the result. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define DOWNLOAD_URLS 2

struct download {
	const char *what;	   /* for messages: "package attr" */
	char *urls[DOWNLOAD_URLS]; /* tried in order while the file does not exist */
	const uint8_t *sha256;	   /* NULL: download to memory */
	uint64_t size;		   /* exact size; an upper limit if there is no hash */
	bool optional;		   /* no error if it exists at none of the URLs */

	/* Results. */
	char *path; /* in the cache */
	char *data; /* in memory, followed by a NUL */
	size_t length;
	size_t url;   /* index of the URL that had it */
	bool missing; /* none of the URLs had it */
};

/* Called for each file as soon as it is complete. A negative return value aborts the downloads. */
struct download_watch {
	int (*done)(const struct download *download, void *context, struct error **err);
	void *context;
	uint64_t files, bytes; /* already downloaded in this stage, added to the progress counts */
};

/* Frees the results and the URLs. */
void download_clear(struct download *download);

/* BASE/PATH, with PATH percent-encoded for a URL; the caller frees it. */
char *download_url(const char *base, const char *path);
