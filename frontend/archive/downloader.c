#include "frontend/archive/downloader.h"

#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/download_transfer.h"
#include "lib/clock.h"

#define PARALLEL 10
#define HOST_CONNECTIONS 6
#define TICK_MS 250
#define HELD_MS 50
/* If another process makes no progress for this long, its files are downloaded here as well. */
#define HELD_STALL_MS 30000

/* Returns 1 if the cache has the file. */
static int downloader_find(struct download_batch *b, struct transfer *t, struct error **err)
{
	int found = cache_find(b->dir, t->job->sha256, t->job->size, &t->job->path, err);

	if (found <= 0)
		return found;
	if (t->state == STATE_HELD)
		b->moved = clock_milliseconds();
	transfer_finish(b, t);
	return 1;
}

/* Leaves the file to the other process, which has BYTES of it, as long as any held file makes
 * progress: the other process may have this one still in its queue. */
static int hold(struct download_batch *b, struct transfer *t, uint64_t bytes, struct error **err)
{
	int64_t now = clock_milliseconds();

	bytes = bytes < t->job->size ? bytes : t->job->size;
	if (t->state != STATE_HELD || t->at != bytes)
		b->moved = now;
	t->at = bytes;
	t->state = STATE_HELD;
	t->not_before = now + HELD_MS;
	if (now - b->moved < HELD_STALL_MS)
		return 0;
	t->state = STATE_WAITING;
	return cache_begin_alone(b->dir, &t->draft, err) < 0 ? -1 : transfer_start_over(t, err);
}

/* Looks in the cache, then resumes the partial file of an earlier attempt. */
static int downloader_prepare(struct download_batch *b, struct transfer *t, struct error **err)
{
	struct download *job = t->job;
	uint64_t other;
	int r;

	t->whole = true;
	if (!job->sha256)
		return 0;
	r = downloader_find(b, t, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = cache_begin(b->dir, job->sha256, &t->draft, &other, err);
	if (r != 0)
		return r < 0 ? -1 : hold(b, t, other, err);
	/* Another process may have finished it between the lookup and the lock. */
	r = t->draft.kept ? 0 : downloader_find(b, t, err);
	if (r != 0) {
		cache_draft_end(&t->draft);
		return r < 0 ? -1 : 0;
	}
	t->state = STATE_WAITING;
	if (t->draft.kept == 0 || t->draft.kept > job->size)
		return transfer_start_over(t, err);
	t->at = t->draft.kept;
	t->whole = false;
	return t->at == job->size ? transfer_complete(b, t, err) : 0;
}

/* Takes files that other processes have finished or abandoned. Returns how many are still held, or
 * -1. */
static int look_again(struct download_batch *b, struct error **err)
{
	int64_t now = clock_milliseconds();
	int held = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct transfer *t = &b->list[i];

		if (t->state == STATE_HELD && t->not_before <= now &&
		    downloader_prepare(b, t, err) < 0)
			return -1;
		held += t->state == STATE_HELD;
	}
	return held;
}

/* Starts transfers that are new or have waited long enough. */
static int start_ready(struct download_batch *b, struct error **err)
{
	int64_t now = clock_milliseconds();

	for (size_t i = 0; i < b->count && b->running < PARALLEL; i++)
		if (b->list[i].state == STATE_WAITING && b->list[i].not_before <= now &&
		    transfer_start(b, &b->list[i], err) < 0)
			return -1;
	return 0;
}

static void downloader_show(const struct download_batch *b, struct progress *progress)
{
	uint64_t files = b->watch ? b->watch->files : 0;
	uint64_t bytes = b->watch ? b->watch->bytes : 0, total = bytes;

	for (size_t i = 0; i < b->count; i++) {
		const struct transfer *t = &b->list[i];

		bytes += t->job->path ? t->job->size : t->at;
		total += t->job->sha256 ? t->job->size : 0;
	}
	progress_update(progress, files + b->done, files + b->count, bytes, total);
}

/* Returns how many transfers have ended. */
static int take_ended(struct download_batch *b, struct error **err)
{
	struct transfer *t;
	CURLMsg *message;
	int left, count = 0;

	while ((message = curl_multi_info_read(b->with->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		if (transfer_ended(b, t, message->data.result, err) < 0)
			return -1;
		count++;
	}
	return count;
}

/* Calls the watch for each newly finished file. */
static int downloader_tell(struct download_batch *b, struct error **err)
{
	for (size_t i = 0; b->watch && i < b->count; i++) {
		struct transfer *t = &b->list[i];

		if (t->state != STATE_DONE || t->told)
			continue;
		t->told = true;
		if (b->watch->done(t->job, b->watch->context, err) < 0)
			return -1;
	}
	return 0;
}

static int downloader_serve(struct download_batch *b, struct progress *progress, struct error **err)
{
	struct curl_waitfd hangup = { .fd = b->with->hangup, .events = CURL_WAIT_POLLIN };
	int running, taken, held;

	while (b->done < b->count) {
		held = look_again(b, err);
		if (held < 0 || start_ready(b, err) < 0)
			return -1;
		if (curl_multi_perform(b->with->multi, &running) != CURLM_OK)
			return error_set(err, ERR_SYSTEM, "cannot download: libcurl failed");
		taken = take_ended(b, err);
		if (taken < 0 || downloader_tell(b, err) < 0)
			return -1;
		downloader_show(b, progress);
		/* If transfers have ended, others can start at once; for file:// libcurl has
		 * nothing to poll. */
		if (!taken)
			curl_multi_poll(b->with->multi, &hangup, 1, held ? HELD_MS : TICK_MS, NULL);
		if (hangup.revents)
			return error_set(err, ERR_INTERRUPTED, "interrupted while downloading");
	}
	return 0;
}

static void downloader_batch_clear(struct download_batch *b)
{
	for (size_t i = 0; b->list && i < b->count; i++) {
		struct transfer *t = &b->list[i];

		transfer_stop(b, t);
		transfer_forget_redirects(t);
		cache_draft_end(&t->draft);
		error_free(&t->err);
	}
	free(b->list);
}

int download_all(struct downloader *downloader, struct download *list, size_t count,
		 const char *dir, const struct download_watch *watch, struct progress *progress,
		 struct error **err)
{
	_cleanup_(downloader_batch_clear) struct download_batch b = {
		.with = downloader,
		.dir = dir,
		.watch = watch,
	};

	b.list = calloc(count + 1, sizeof(*b.list));
	if (!b.list)
		return error_no_memory(err);
	for (b.count = 0; b.count < count; b.count++)
		b.list[b.count] =
			(struct transfer){ .job = &list[b.count], .draft = CACHE_DRAFT_NONE };
	for (size_t i = 0; i < count; i++)
		if (downloader_prepare(&b, &b.list[i], err) < 0)
			return -1;
	/* Start the downloads first: they run while the watch handles cached files. */
	if (start_ready(&b, err) < 0 || downloader_tell(&b, err) < 0)
		return -1;
	downloader_show(&b, progress);
	return downloader_serve(&b, progress, err);
}

struct downloader *downloader_new(download_ask *ask, void *context, int hangup, struct error **err)
{
	struct downloader *d = calloc(1, sizeof(*d));

	if (!d || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		error_set(err, ERR_SYSTEM, "cannot download: cannot start libcurl");
		free(d);
		return NULL;
	}
	d->hangup = hangup;
	d->multi = curl_multi_init();
	d->fresh = curl_slist_append(NULL, "Cache-Control: max-age=0");
	d->routes = download_routes_new(ask, context);
	if (!d->multi || !d->fresh || !d->routes) {
		error_no_memory(err);
		downloader_free(&d);
		return NULL;
	}
	curl_multi_setopt(d->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
	return d;
}

void downloader_free(struct downloader **downloader)
{
	struct downloader *d = *downloader;

	if (!d)
		return;
	curl_slist_free_all(d->fresh);
	curl_multi_cleanup(d->multi);
	download_routes_free(&d->routes);
	curl_global_cleanup();
	free(d);
	*downloader = NULL;
}
