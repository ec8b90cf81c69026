#include "frontend/download.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "frontend/cache.h"
#include "frontend/download_route.h"

#define PARALLEL 10
#define HOST_CONNECTIONS 6
#define ATTEMPTS 4
#define CONNECT_SECONDS 15L
#define STALL_SECONDS 20L
#define STALL_RATE 64L /* bytes a second */
#define REDIRECTS_MAX 5
#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 30000
#define TICK_MS 250
#define HELD_MS 50
#define HELD_STALL_MS 30000 /* then what another process is to bring is fetched here as well */
/* An attempt that brought as much was worth it, and is not counted. */
#define WORTHWHILE (1024 * 1024)

/* Held: another process fetches the same, and is waited for. */
enum state { STATE_WAITING, STATE_HELD, STATE_RUNNING, STATE_DONE };

struct transfer {
	struct download *job;
	enum state state;
	bool told; /* to whoever watches */
	CURL *easy;
	struct curl_slist *resolve; /* EASY's */
	char *redirect;		    /* where the URL led; NULL: nowhere else */
	unsigned redirects;	    /* in a row */
	struct cache_draft draft;
	uint64_t at;	/* bytes that are there */
	uint64_t began; /* of these, before this attempt */
	bool whole;	/* no part of it is left from an earlier attempt */
	bool oversize;
	unsigned attempts;
	int64_t not_before; /* milliseconds */
	struct error *err;  /* what the write callback could not return */
	char message[CURL_ERROR_SIZE];
};

struct downloader {
	CURLM *multi;
	struct curl_slist *fresh; /* headers of what is not known by hash */
	struct download_routes *routes;
	int hangup;
};

struct batch {
	struct downloader *with;
	struct transfer *list;
	size_t count, running, done;
	int64_t moved; /* milliseconds: when others last brought something of what is held */
	const char *folder;
	const struct download_watch *watch;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

char *download_url(const char *base, const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~+/:@";
	char *url = malloc(strlen(base) + 3 * strlen(path) + 2), *to;

	if (!url)
		return NULL;
	to = stpcpy(stpcpy(url, base), "/");
	for (; *path; path++) {
		if (strchr(plain, *path))
			*to++ = *path;
		else
			to += sprintf(to, "%%%02X", (unsigned int)(unsigned char)*path);
	}
	*to = '\0';
	return url;
}

void download_clear(struct download *download)
{
	for (size_t i = 0; i < DOWNLOAD_URLS; i++)
		free(download->urls[i]);
	free(download->path);
	free(download->data);
	*download = (struct download){ 0 };
}

/* "cannot download WHAT from URL: WHY". The URL is shown without a user's name and password. */
static int fail(const struct transfer *t, enum error_code code, struct error **err,
		const char *format, ...) PRINTF_LIKE(4, 5);
static int fail(const struct transfer *t, enum error_code code, struct error **err,
		const char *format, ...)
{
	const char *url = t->job->urls[t->job->url];
	const char *host = strstr(url, "://") ? strstr(url, "://") + 3 : url;
	size_t authority = strcspn(host, "/");
	const char *at = memrchr(host, '@', authority);
	_cleanup_free_ char *why = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&why, format, ap) < 0)
		why = NULL;
	va_end(ap);
	return error_set(err, code, "cannot download %s from %.*s%s: %s", t->job->what,
			 (int)(host - url), url, at ? at + 1 : host, why ? why : "out of memory");
}

static int write_memory(struct transfer *t, const char *data, size_t size)
{
	char *longer = realloc(t->job->data, (size_t)t->at + size + 1);

	if (!longer)
		return error_errno(&t->err, ERR_SYSTEM, "cannot keep %s", t->job->what);
	memcpy(longer + t->at, data, size);
	longer[t->at + size] = '\0';
	t->job->data = longer;
	return 0;
}

static int write_draft(struct transfer *t, const char *data, size_t size)
{
	size_t done = 0;
	ssize_t n;

	for (; done < size; done += (size_t)n) {
		n = RETRY_ON_EINTR(
			pwrite(t->draft.fd, data + done, size - done, (off_t)(t->at + done)));
		if (n < 0)
			return error_errno(&t->err, ERR_SYSTEM, "cannot write %s to %s",
					   t->job->what, t->draft.path);
	}
	return 0;
}

static bool is_redirect(long status)
{
	return status >= 300 && status < 400;
}

/* libcurl's: takes anything but SIZE as "abort". */
static size_t on_data(char *data, size_t one, size_t size, void *context)
{
	struct transfer *t = context;
	long status = 0;

	(void)one;
	/* What a redirect says besides where to. */
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (is_redirect(status))
		return size;
	if (size > t->job->size - t->at) {
		t->oversize = true;
		return 0;
	}
	if ((t->job->sha256 ? write_draft(t, data, size) : write_memory(t, data, size)) < 0)
		return 0;
	t->at += size;
	return size;
}

/* Forgets what is there. */
static int start_over(struct transfer *t, struct error **err)
{
	t->at = 0;
	t->whole = true;
	t->oversize = false;
	if (t->draft.fd >= 0 && ftruncate(t->draft.fd, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot empty %s", t->draft.path);
	return 0;
}

static void limit_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
			 (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE));
#endif
}

static const char *url_of(const struct transfer *t)
{
	return t->redirect ? t->redirect : t->job->urls[t->job->url];
}

static void set_options(struct batch *b, struct transfer *t)
{
	CURL *easy = t->easy;

	limit_protocols(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url_of(t));
	curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->message);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, STALL_RATE);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "rootlet/" ROOTLET_VERSION);
	if (!t->job->sha256)
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, b->with->fresh);
	if (t->at)
		curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->at);
}

static void stop(struct batch *b, struct transfer *t)
{
	if (t->state == STATE_RUNNING)
		b->running--;
	if (t->easy) {
		curl_multi_remove_handle(b->with->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->resolve);
	t->resolve = NULL;
	t->easy = NULL;
}

/* From the job's own URL again. */
static void forget_redirects(struct transfer *t)
{
	free(t->redirect);
	t->redirect = NULL;
	t->redirects = 0;
}

static void finish(struct batch *b, struct transfer *t)
{
	t->state = STATE_DONE;
	b->done++;
}

/* Size or hash is another. Where a part of it came from an earlier attempt, that part may be the
 * one that is wrong; a proxy may have spoilt it as well: all of it is fetched once more. */
static int differs(struct transfer *t, struct error **err)
{
	bool oversize = t->oversize, again = ++t->attempts < (t->whole ? 2 : ATTEMPTS);
	uint64_t size = t->at;

	forget_redirects(t);
	if (start_over(t, err) < 0)
		return -1;
	if (again) {
		t->state = STATE_WAITING;
		return 0;
	}
	if (oversize)
		return fail(t, ERR_TRUST, err,
			    "it is longer than the %ju bytes that are allowed; try again "
			    "later, or name another mirror with --mirror URL",
			    (uintmax_t)t->job->size);
	if (size != t->job->size)
		return fail(t, ERR_TRUST, err,
			    "its size is %ju bytes where the signed index says %ju; try again "
			    "later, or name another mirror with --mirror URL",
			    (uintmax_t)size, (uintmax_t)t->job->size);
	return fail(t, ERR_TRUST, err,
		    "its SHA-256 differs from the signed index; try again later, or name another "
		    "mirror with --mirror URL");
}

/* All that the server wanted to send is there. */
static int complete(struct batch *b, struct transfer *t, struct error **err)
{
	if (!t->job->sha256) {
		if (!t->job->data && !(t->job->data = strdup("")))
			return error_errno(err, ERR_SYSTEM, "cannot keep %s", t->job->what);
		t->job->length = (size_t)t->at;
		finish(b, t);
		return 0;
	}
	if (t->at != t->job->size)
		return differs(t, err);
	switch (cache_commit(b->folder, t->job->sha256, &t->draft, err)) {
	case 0:
		t->job->path = cache_file(b->folder, t->job->sha256, err);
		finish(b, t);
		return t->job->path ? 0 : -1;
	case 1:
		return differs(t, err);
	default:
		return -1;
	}
}

/* Waits longer each time, and not exactly as long as others do that failed at the same moment. */
static void back_off(struct transfer *t)
{
	curl_off_t asked = 0;
	uint32_t jitter = 0;
	int64_t wait = BACKOFF_MS << (t->attempts ? t->attempts - 1 : 0);

	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) < 0)
		jitter = (uint32_t)now_ms();
	wait += (int64_t)(jitter % BACKOFF_MS);
	if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked) == CURLE_OK && asked > 0 &&
	    asked * 1000 > wait)
		wait = asked * 1000;
	t->not_before = now_ms() + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
	t->state = STATE_WAITING;
}

static const char *status_text(long status)
{
	static const struct {
		long status;
		const char *text;
	} rows[] = {
		{ 401, " (it wants a password)" },
		{ 403, " (forbidden)" },
		{ 404, " (not found)" },
		{ 407, " (the proxy wants a password)" },
		{ 410, " (gone)" },
		{ 429, " (too many requests)" },
		{ 500, " (internal error)" },
		{ 502, " (bad gateway)" },
		{ 503, " (unavailable)" },
		{ 504, " (gateway timed out)" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "";
}

static int give_up(const struct transfer *t, CURLcode code, long status, struct error **err)
{
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return fail(t, ERR_NETWORK, err,
			    "the mirror answers %ld%s; name another one with --mirror URL", status,
			    status_text(status));
	if (code == CURLE_FILE_COULDNT_READ_FILE)
		return fail(t, ERR_NETWORK, err,
			    "it cannot be read there; give --mirror the folder that has dists and "
			    "pool in it");
	return fail(t, ERR_NETWORK, err,
		    "%s; check the network and the proxy, or name another mirror with --mirror URL",
		    t->message[0] ? t->message : curl_easy_strerror(code));
}

/* No file at this URL: the next one, if there is one. */
static int absent(struct batch *b, struct transfer *t, CURLcode code, struct error **err)
{
	struct download *job = t->job;

	if (job->url + 1 < DOWNLOAD_URLS && job->urls[job->url + 1]) {
		forget_redirects(t);
		job->url++;
		t->state = STATE_WAITING;
		return 0;
	}
	if (!job->optional)
		return give_up(t, code, 404, err);
	job->missing = true;
	finish(b, t);
	return 0;
}

static bool passes(CURLcode code, long status)
{
	switch (code) {
	case CURLE_HTTP_RETURNED_ERROR:
		return status == 408 || status == 429 || (status >= 500 && status != 501);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_WEIRD_SERVER_REPLY:
		return true;
	default:
		return false;
	}
}

static int broken(struct batch *b, struct transfer *t, CURLcode code, struct error **err)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_FILE_COULDNT_READ_FILE ||
	    (code == CURLE_HTTP_RETURNED_ERROR && (status == 404 || status == 410)))
		return absent(b, t, code, err);
	/* It cannot go on where we stopped: from the start, then. */
	if (t->began && (code == CURLE_RANGE_ERROR || code == CURLE_BAD_DOWNLOAD_RESUME ||
			 (code == CURLE_HTTP_RETURNED_ERROR && status == 416))) {
		t->state = STATE_WAITING;
		return start_over(t, err);
	}
	if (t->at < t->began + WORTHWHILE)
		t->attempts++;
	if (!passes(code, status) || t->attempts >= ATTEMPTS)
		return give_up(t, code, status, err);
	back_off(t);
	forget_redirects(t);
	if (!t->job->sha256)
		return start_over(t, err);
	t->whole = t->at == 0;
	return 0;
}

static bool redirected(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return is_redirect(status);
}

static bool is_http(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* On to where the answer leads, at once. */
static int follow(struct transfer *t, struct error **err)
{
	char *to = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!to)
		return give_up(t, CURLE_HTTP_RETURNED_ERROR, status, err);
	if (!is_http(to))
		return fail(t, ERR_NETWORK, err,
			    "the mirror redirects to an address that is neither http nor https; "
			    "name another one with --mirror URL");
	if (++t->redirects > REDIRECTS_MAX)
		return fail(t, ERR_NETWORK, err,
			    "the mirror redirects more than %d times; name another one with "
			    "--mirror URL",
			    REDIRECTS_MAX);
	to = strdup(to);
	if (!to)
		return error_set(err, ERR_SPACE, "out of memory");
	free(t->redirect);
	t->redirect = to;
	return 0;
}

/* Returns -1 where TRANSFER, and with it the batch, has failed. */
static int ended(struct batch *b, struct transfer *t, CURLcode code, struct error **err)
{
	int result;

	b->running--;
	t->state = STATE_WAITING;
	if (t->err) {
		if (err && !*err)
			*err = STEAL_PTR(t->err);
		result = -1;
	} else if (t->oversize) {
		result = differs(t, err);
	} else if (code == CURLE_OK && redirected(t)) {
		result = follow(t, err);
	} else if (code == CURLE_OK) {
		result = complete(b, t, err);
	} else {
		result = broken(b, t, code, err);
	}
	stop(b, t);
	return result;
}

/* Returns 0 if it runs or is to wait, -1 if it cannot be had. */
static int start(struct batch *b, struct transfer *t, struct error **err)
{
	int unknown = 0;

	t->message[0] = '\0';
	t->began = t->at;
	t->easy = curl_easy_init();
	if (!t->easy)
		return error_set(err, ERR_SYSTEM, "cannot download %s: libcurl does not start",
				 t->job->what);
	set_options(b, t);
	if (is_http(url_of(t)))
		unknown = download_route_set(b->with->routes, t->easy, url_of(t), &t->resolve,
					     t->message, err);
	if (unknown < 0)
		return error_wrap(err, "cannot download %s", t->job->what);
	if (unknown) {
		int r = broken(b, t, CURLE_COULDNT_RESOLVE_HOST, err);

		stop(b, t);
		return r;
	}
	if (curl_multi_add_handle(b->with->multi, t->easy) != CURLM_OK)
		return error_set(err, ERR_SYSTEM, "cannot download %s: libcurl refuses",
				 t->job->what);
	t->state = STATE_RUNNING;
	b->running++;
	return 0;
}

/* Returns 1 where the cache has it. */
static int find(struct batch *b, struct transfer *t, struct error **err)
{
	int found = cache_find(b->folder, t->job->sha256, t->job->size, &t->job->path, err);

	if (found <= 0)
		return found;
	if (t->state == STATE_HELD)
		b->moved = now_ms();
	finish(b, t);
	return 1;
}

/* Leaves it to the other process, which has BYTES of it, as long as that brings anything at all:
 * what it has not begun yet waits for its turn there. */
static int hold(struct batch *b, struct transfer *t, uint64_t bytes, struct error **err)
{
	int64_t now = now_ms();

	bytes = bytes < t->job->size ? bytes : t->job->size;
	if (t->state != STATE_HELD || t->at != bytes)
		b->moved = now;
	t->at = bytes;
	t->state = STATE_HELD;
	t->not_before = now + HELD_MS;
	if (now - b->moved < HELD_STALL_MS)
		return 0;
	t->state = STATE_WAITING;
	return cache_begin_alone(b->folder, &t->draft, err) < 0 ? -1 : start_over(t, err);
}

/* Looks into the cache, then takes up what an earlier attempt left. */
static int prepare(struct batch *b, struct transfer *t, struct error **err)
{
	struct download *job = t->job;
	uint64_t other;
	int r;

	t->whole = true;
	if (!job->sha256)
		return 0;
	r = find(b, t, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = cache_begin(b->folder, job->sha256, &t->draft, &other, err);
	if (r != 0)
		return r < 0 ? -1 : hold(b, t, other, err);
	/* Another may have brought it between these two looks. */
	r = t->draft.kept ? 0 : find(b, t, err);
	if (r != 0) {
		cache_draft_end(&t->draft);
		return r < 0 ? -1 : 0;
	}
	t->state = STATE_WAITING;
	if (t->draft.kept == 0 || t->draft.kept > job->size)
		return start_over(t, err);
	t->at = t->draft.kept;
	t->whole = false;
	return t->at == job->size ? complete(b, t, err) : 0;
}

/* What others have brought meanwhile, or have left to us. Returns how many are still theirs, or
 * -1. */
static int look_again(struct batch *b, struct error **err)
{
	int64_t now = now_ms();
	int held = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct transfer *t = &b->list[i];

		if (t->state == STATE_HELD && t->not_before <= now && prepare(b, t, err) < 0)
			return -1;
		held += t->state == STATE_HELD;
	}
	return held;
}

/* Begins what has no attempt behind it or has waited long enough. */
static int start_ready(struct batch *b, struct error **err)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < b->count && b->running < PARALLEL; i++)
		if (b->list[i].state == STATE_WAITING && b->list[i].not_before <= now &&
		    start(b, &b->list[i], err) < 0)
			return -1;
	return 0;
}

static void show(const struct batch *b, struct progress *progress)
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

/* Returns how many have ended. */
static int take_ended(struct batch *b, struct error **err)
{
	struct transfer *t;
	CURLMsg *message;
	int left, count = 0;

	while ((message = curl_multi_info_read(b->with->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		if (ended(b, t, message->data.result, err) < 0)
			return -1;
		count++;
	}
	return count;
}

/* Tells whoever watches what is there now. */
static int tell(struct batch *b, struct error **err)
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

static int serve(struct batch *b, struct progress *progress, struct error **err)
{
	struct curl_waitfd hangup = { .fd = b->with->hangup, .events = CURL_WAIT_POLLIN };
	int running, taken, held;

	while (b->done < b->count) {
		held = look_again(b, err);
		if (held < 0 || start_ready(b, err) < 0)
			return -1;
		if (curl_multi_perform(b->with->multi, &running) != CURLM_OK)
			return error_set(err, ERR_SYSTEM, "cannot download: libcurl fails");
		taken = take_ended(b, err);
		if (taken < 0 || tell(b, err) < 0)
			return -1;
		show(b, progress);
		/* Where some have ended others can begin, and of file:// there is nothing to wait
		 * for. */
		if (!taken)
			curl_multi_poll(b->with->multi, &hangup, 1, held ? HELD_MS : TICK_MS, NULL);
		if (hangup.revents)
			return error_set(err, ERR_INTERRUPTED, "interrupted while downloading");
	}
	return 0;
}

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; b->list && i < b->count; i++) {
		struct transfer *t = &b->list[i];

		stop(b, t);
		forget_redirects(t);
		cache_draft_end(&t->draft);
		error_free(&t->err);
	}
	free(b->list);
}

int download_all(struct downloader *downloader, struct download *list, size_t count,
		 const char *folder, const struct download_watch *watch, struct progress *progress,
		 struct error **err)
{
	_cleanup_(batch_clear) struct batch b = {
		.with = downloader,
		.folder = folder,
		.watch = watch,
	};

	b.list = calloc(count + 1, sizeof(*b.list));
	if (!b.list)
		return error_set(err, ERR_SYSTEM, "cannot download: out of memory");
	for (b.count = 0; b.count < count; b.count++)
		b.list[b.count] =
			(struct transfer){ .job = &list[b.count], .draft = CACHE_DRAFT_NONE };
	for (size_t i = 0; i < count; i++)
		if (prepare(&b, &b.list[i], err) < 0)
			return -1;
	/* What has to be fetched is on its way while what is there is told of. */
	if (start_ready(&b, err) < 0 || tell(&b, err) < 0)
		return -1;
	show(&b, progress);
	return serve(&b, progress, err);
}

struct downloader *downloader_new(download_ask *ask, void *context, int hangup, struct error **err)
{
	struct downloader *d = calloc(1, sizeof(*d));

	if (!d || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		error_set(err, ERR_SYSTEM, "cannot download: libcurl does not start");
		free(d);
		return NULL;
	}
	d->hangup = hangup;
	d->multi = curl_multi_init();
	d->fresh = curl_slist_append(NULL, "Cache-Control: max-age=0");
	d->routes = download_routes_new(ask, context);
	if (!d->multi || !d->fresh || !d->routes) {
		error_set(err, ERR_SYSTEM, "cannot download: out of memory");
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
