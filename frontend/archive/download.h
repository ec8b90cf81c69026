/* Fetches files over http and https: many at once, few per host, each gone on with where it broke.
 * Redirects are followed one by one, so that each host is asked for (download_route.h). What is
 * known by hash goes into the cache and is not asked for where it is there, or where another
 * process fetches it already: that one is waited for as long as it goes on. What is not known by
 * hash goes into memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/archive/download_route.h"
#include "frontend/cli/progress.h"
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

struct downloader;

/* Connections are kept from one download_all() to the next. HANGUP is polled: if it can be read
 * while files are on their way, there is no use in going on. Returns NULL with ERR set. */
struct downloader *downloader_new(download_ask *ask, void *context, int hangup, struct error **err);
void downloader_free(struct downloader **downloader);

/* Fetches all of LIST, those with a hash into the cache's FOLDER. Stops at the first that fails:
 * ERR_NETWORK, ERR_TRUST where size or hash is another, ERR_SPACE, ERR_INTERRUPTED. WATCH may be
 * NULL. What came until then is kept for the next attempt. */
int download_all(struct downloader *downloader, struct download *list, size_t count,
		 const char *folder, const struct download_watch *watch, struct progress *progress,
		 struct error **err);

/* Frees the results and the URLs. */
void download_clear(struct download *download);

/* BASE/PATH with what may not stand in a URL's path percent-encoded; the caller's. */
char *download_url(const char *base, const char *path);
