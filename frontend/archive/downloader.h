/* Downloads files over http and https: many in parallel, few per host, resumed after a failure.
 * Follows redirects one at a time, so that the parent is asked about each host (download_route.h).
 * Files with a known hash go to the cache. Those that are already there are not downloaded; for
 * those that another process is downloading, this waits as long as that process makes progress.
 * Files without a known hash go to memory. */
#pragma once

#include "frontend/archive/download.h"
#include "frontend/archive/download_route.h"
#include "frontend/cli/progress.h"

struct downloader;

/* Keeps connections open from one download_all() to the next. Polls HANGUP: if it becomes readable
 * during a download, the download is interrupted. Returns NULL with ERR set. */
struct downloader *downloader_new(download_ask *ask, void *context, int hangup, struct error **err);
void downloader_free(struct downloader **downloader);

/* Downloads all of LIST; files with a hash go to a directory of the cache. Stops at the first
 * failure: ERR_NETWORK, ERR_TRUST if the size or hash differs, ERR_SPACE, ERR_INTERRUPTED. WATCH
 * may be NULL. The next attempt resumes partial files. */
int download_all(struct downloader *downloader, struct download *list, size_t count,
		 const char *dir, const struct download_watch *watch, struct progress *progress,
		 struct error **err);
