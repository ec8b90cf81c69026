/* Fetches files over http and https: many at once, few per host, each gone on with where it broke.
 * Redirects are followed one by one, so that each host is asked for (download_route.h). What is
 * known by hash goes into the cache and is not asked for where it is there, or where another
 * process fetches it already: that one is waited for as long as it goes on. What is not known by
 * hash goes into memory. */
#pragma once

#include "frontend/archive/download.h"
#include "frontend/archive/download_route.h"
#include "frontend/cli/progress.h"

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
