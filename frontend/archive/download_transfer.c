#include "frontend/archive/download_transfer.h"

#include <stdarg.h>
#include <string.h>
#include <sys/random.h>

#include "frontend/cli/text.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"
#include "lib/pwrite_all.h"

#define ATTEMPTS 4
#define CONNECT_SECONDS 15L
#define STALL_SECONDS 20L
#define STALL_RATE 64L /* bytes per second */
#define REDIRECTS_MAX 5
#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 30000
/* An attempt that gets this many bytes does not count as failed. */
#define WORTHWHILE (1024 * 1024)

/* "cannot download WHAT from URL: WHY". Shows the URL without user name and password. */
static int transfer_fail(const struct transfer *t, enum error_code code, struct error **err,
			 const char *format, ...) PRINTF_LIKE(4, 5);
static int transfer_fail(const struct transfer *t, enum error_code code, struct error **err,
			 const char *format, ...)
{
	const char *url = t->job->urls[t->job->url];
	const char *host = strstr(url, "://") ? strstr(url, "://") + 3 : url;
	size_t authority = strcspn(host, "/");
	const char *at = memrchr(host, '@', authority);
	_cleanup_free_ char *why = NULL;
	va_list ap;

	va_start(ap, format);
	why = text_vformat(format, ap);
	va_end(ap);
	return error_set(err, code, "cannot download %s from %.*s%s: %s", t->job->what,
			 (int)(host - url), url, at ? at + 1 : host, why ? why : "out of memory");
}

static int write_memory(struct transfer *t, const char *data, size_t size)
{
	char *longer = realloc(t->job->data, (size_t)t->at + size + 1);

	if (!longer)
		return error_errno(&t->err, ERR_SYSTEM, "cannot store %s", t->job->what);
	memcpy(longer + t->at, data, size);
	longer[t->at + size] = '\0';
	t->job->data = longer;
	return 0;
}

static int write_draft(struct transfer *t, const char *data, size_t size)
{
	if (pwrite_all(t->draft.fd, data, size, (off_t)t->at) < 0)
		return error_errno(&t->err, ERR_SYSTEM, "cannot write %s to %s", t->job->what,
				   t->draft.path);
	return 0;
}

static bool is_redirect(long status)
{
	return status >= 300 && status < 400;
}

/* Callback of libcurl, which aborts if this returns anything but SIZE. */
static size_t on_data(char *data, size_t one, size_t size, void *context)
{
	struct transfer *t = context;
	long status = 0;

	(void)one;
	/* Ignore the body of a redirect. */
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

int transfer_start_over(struct transfer *t, struct error **err)
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

static void set_options(struct download_batch *b, struct transfer *t)
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

void transfer_stop(struct download_batch *b, struct transfer *t)
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

void transfer_forget_redirects(struct transfer *t)
{
	free(t->redirect);
	t->redirect = NULL;
	t->redirects = 0;
}

void transfer_finish(struct download_batch *b, struct transfer *t)
{
	t->state = STATE_DONE;
	b->done++;
}

/* Handles a wrong size or hash: downloads the whole file again. A part from an earlier attempt may
 * be the wrong one, or a proxy may have corrupted the data. */
static int differs(struct transfer *t, struct error **err)
{
	bool oversize = t->oversize, again = ++t->attempts < (t->whole ? 2 : ATTEMPTS);
	uint64_t size = t->at;

	transfer_forget_redirects(t);
	if (transfer_start_over(t, err) < 0)
		return -1;
	if (again) {
		t->state = STATE_WAITING;
		return 0;
	}
	if (oversize)
		return transfer_fail(t, ERR_TRUST, err,
				     "it is longer than the allowed %ju bytes; try again "
				     "later, or name another mirror with --mirror URL",
				     (uintmax_t)t->job->size);
	if (size != t->job->size)
		return transfer_fail(
			t, ERR_TRUST, err,
			"its size is %ju bytes, but the signed index says %ju; try again "
			"later, or name another mirror with --mirror URL",
			(uintmax_t)size, (uintmax_t)t->job->size);
	return transfer_fail(
		t, ERR_TRUST, err,
		"its SHA-256 differs from the signed index; try again later, or name another "
		"mirror with --mirror URL");
}

int transfer_complete(struct download_batch *b, struct transfer *t, struct error **err)
{
	if (!t->job->sha256) {
		if (!t->job->data && !(t->job->data = strdup("")))
			return error_errno(err, ERR_SYSTEM, "cannot store %s", t->job->what);
		t->job->length = (size_t)t->at;
		transfer_finish(b, t);
		return 0;
	}
	if (t->at != t->job->size)
		return differs(t, err);
	switch (cache_commit(b->dir, t->job->sha256, &t->draft, err)) {
	case 0:
		t->job->path = cache_file(b->dir, t->job->sha256, err);
		transfer_finish(b, t);
		return t->job->path ? 0 : -1;
	case 1:
		return differs(t, err);
	default:
		return -1;
	}
}

/* Doubles the wait each time, with jitter to spread transfers that failed together. */
static void back_off(struct transfer *t)
{
	curl_off_t asked = 0;
	uint32_t jitter = 0;
	int64_t wait = BACKOFF_MS << (t->attempts ? t->attempts - 1 : 0);

	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) < 0)
		jitter = (uint32_t)clock_milliseconds();
	wait += (int64_t)(jitter % BACKOFF_MS);
	if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked) == CURLE_OK && asked > 0 &&
	    asked * 1000 > wait)
		wait = asked * 1000;
	t->not_before = clock_milliseconds() + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
	t->state = STATE_WAITING;
}

static const char *status_text(long status)
{
	static const struct {
		long status;
		const char *text;
	} rows[] = {
		{ 401, " (password required)" },
		{ 403, " (forbidden)" },
		{ 404, " (not found)" },
		{ 407, " (proxy password required)" },
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

static int transfer_give_up(const struct transfer *t, CURLcode code, long status,
			    struct error **err)
{
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return transfer_fail(t, ERR_NETWORK, err,
				     "the mirror replied %ld%s; name another one with --mirror URL",
				     status, status_text(status));
	if (code == CURLE_FILE_COULDNT_READ_FILE)
		return transfer_fail(
			t, ERR_NETWORK, err,
			"the file cannot be read; pass --mirror the directory that contains dists "
			"and pool");
	return transfer_fail(
		t, ERR_NETWORK, err,
		"%s; check the network and the proxy, or name another mirror with --mirror URL",
		t->message[0] ? t->message : curl_easy_strerror(code));
}

/* The file does not exist at this URL: try the next one, if any. */
static int absent(struct download_batch *b, struct transfer *t, CURLcode code, struct error **err)
{
	struct download *job = t->job;

	if (job->url + 1 < DOWNLOAD_URLS && job->urls[job->url + 1]) {
		transfer_forget_redirects(t);
		job->url++;
		t->state = STATE_WAITING;
		return 0;
	}
	if (!job->optional)
		return transfer_give_up(t, code, 404, err);
	job->missing = true;
	transfer_finish(b, t);
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

static int broken(struct download_batch *b, struct transfer *t, CURLcode code, struct error **err)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_FILE_COULDNT_READ_FILE ||
	    (code == CURLE_HTTP_RETURNED_ERROR && (status == 404 || status == 410)))
		return absent(b, t, code, err);
	/* The server cannot resume: start over. */
	if (t->began && (code == CURLE_RANGE_ERROR || code == CURLE_BAD_DOWNLOAD_RESUME ||
			 (code == CURLE_HTTP_RETURNED_ERROR && status == 416))) {
		t->state = STATE_WAITING;
		return transfer_start_over(t, err);
	}
	if (t->at < t->began + WORTHWHILE)
		t->attempts++;
	if (!passes(code, status) || t->attempts >= ATTEMPTS)
		return transfer_give_up(t, code, status, err);
	back_off(t);
	transfer_forget_redirects(t);
	if (!t->job->sha256)
		return transfer_start_over(t, err);
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

/* Follows a redirect at once. */
static int transfer_follow(struct transfer *t, struct error **err)
{
	char *to = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!to)
		return transfer_give_up(t, CURLE_HTTP_RETURNED_ERROR, status, err);
	if (!is_http(to))
		return transfer_fail(
			t, ERR_NETWORK, err,
			"the mirror redirects to a URL that is neither http nor https; "
			"name another one with --mirror URL");
	if (++t->redirects > REDIRECTS_MAX)
		return transfer_fail(
			t, ERR_NETWORK, err,
			"the mirror redirects more than %d times; name another one with "
			"--mirror URL",
			REDIRECTS_MAX);
	to = strdup(to);
	if (!to)
		return error_no_memory(err);
	free(t->redirect);
	t->redirect = to;
	return 0;
}

int transfer_ended(struct download_batch *b, struct transfer *t, CURLcode code, struct error **err)
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
		result = transfer_follow(t, err);
	} else if (code == CURLE_OK) {
		result = transfer_complete(b, t, err);
	} else {
		result = broken(b, t, code, err);
	}
	transfer_stop(b, t);
	return result;
}

int transfer_start(struct download_batch *b, struct transfer *t, struct error **err)
{
	int unknown = 0;

	t->message[0] = '\0';
	t->began = t->at;
	t->easy = curl_easy_init();
	if (!t->easy)
		return error_set(err, ERR_SYSTEM, "cannot download %s: cannot start libcurl",
				 t->job->what);
	set_options(b, t);
	if (is_http(url_of(t)))
		unknown = download_route_set(b->with->routes, t->easy, url_of(t), &t->resolve,
					     t->message, err);
	if (unknown < 0)
		return error_wrap(err, "cannot download %s", t->job->what);
	if (unknown) {
		int r = broken(b, t, CURLE_COULDNT_RESOLVE_HOST, err);

		transfer_stop(b, t);
		return r;
	}
	if (curl_multi_add_handle(b->with->multi, t->easy) != CURLM_OK)
		return error_set(err, ERR_SYSTEM, "cannot download %s: libcurl failed",
				 t->job->what);
	t->state = STATE_RUNNING;
	b->running++;
	return 0;
}
