/* InRelease files: downloads them to sealed memory files, and parses each once the helper has
 * verified the same memory file. */
#include "frontend/archive/fetch_releases.h"

#include <fcntl.h>
#include <string.h>

#include "lib/error_wrap.h"
#include "lib/signature.h"

#define INRELEASE_MAX (16 * 1024 * 1024)

_Static_assert(DOWNLOAD_URLS <= SOURCE_POCKET_MIRRORS, "each URL has a mirror");

static char *inrelease_url(const char *mirror, const char *suite)
{
	_cleanup_free_ char *path = NULL;

	if (!mirror || asprintf(&path, "dists/%s/InRelease", suite) < 0)
		return NULL;
	return download_url(mirror, path);
}

static int plan_inrelease(const struct fetch_work *w, uint32_t number, struct download *d,
			  struct error **err)
{
	const struct origin *o = w->origin;
	char suite[POCKET_SUITE_SIZE];
	char *what;

	pockets_suite(o, number, suite);
	if (asprintf(&what, "InRelease of %s", suite) < 0)
		return error_no_memory(err);
	*d = (struct download){ .what = what,
				.size = INRELEASE_MAX,
				.optional = !pockets_required(number) };
	/* Without a security mirror (the host's configuration may name none for Debian, and the
	 * archive none), this is the archive's own. */
	d->urls[0] = inrelease_url(pockets_mirror(o, number, 0), suite);
	for (size_t i = 1; strcmp(fetch_pockets[number], "security") == 0 && i < DOWNLOAD_URLS; i++)
		d->urls[i] = inrelease_url(o->security[i], suite);
	return d->urls[0] ? 0 : error_no_memory(err);
}

static int tell_release(struct fetch_work *w, uint32_t number, const struct download *d,
			struct error **err)
{
	struct work_pocket *pocket = &w->pockets[number];
	struct fetch_message message = { .kind = FETCH_RELEASE };

	closep(&pocket->inrelease);
	pocket->inrelease =
		d->missing ? -1 : fetch_write_sealed("InRelease", d->data, d->length, err);
	if (!d->missing && pocket->inrelease < 0)
		return -1;
	pocket->url = d->url;
	message.release.pocket = number;
	message.release.missing = d->missing;
	message.release.url = (uint32_t)d->url;
	return work_send(w, &message, pocket->inrelease, err);
}

int work_releases(struct fetch_work *w, uint32_t pockets, struct error **err)
{
	_cleanup_(downloads_clear) struct downloads d = {
		.list = calloc(FETCH_POCKETS, sizeof(*d.list)),
	};
	uint32_t numbers[FETCH_POCKETS];

	if (!d.list)
		return error_no_memory(err);
	for (uint32_t i = 0; i < pockets_count(w->origin); i++) {
		if (!(pockets >> i & 1))
			continue;
		numbers[d.count] = i;
		if (plan_inrelease(w, i, &d.list[d.count++], err) < 0)
			return -1;
	}
	if (download_all(w->downloader, d.list, d.count, w->indexes, NULL, w->progress, err) < 0)
		return -1;
	for (size_t i = 0; i < d.count; i++)
		if (tell_release(w, numbers[i], &d.list[i], err) < 0)
			return -1;
	return 0;
}

int work_accept(struct fetch_work *w, uint32_t number, int *inrelease, struct error **err)
{
	struct work_pocket *pocket = &w->pockets[number];
	struct fetch_message message = { .kind = FETCH_FACTS };
	_cleanup_free_ char *data = NULL, *text = NULL;
	const char *signature;
	size_t size, signature_size;

	if (*inrelease >= 0) {
		closep(&pocket->inrelease);
		pocket->inrelease = steal_fd(inrelease);
	}
	data = fetch_read_sealed(pocket->inrelease, &size, err);
	if (!data)
		return error_wrap(err, "InRelease");
	text = malloc(size + 2);
	if (!text)
		return error_no_memory(err);
	/* The helper splits it the same way: it verified the text between the markers. */
	if (!signature_split(data, size, text, &signature, &signature_size))
		return error_set(err, ERR_TRUST, "InRelease is not a single signed text");
	release_free(&pocket->release);
	if (release_parse(STEAL_PTR(text), "InRelease", &pocket->release, err) < 0)
		return -1;
	pocket->mirror = pockets_mirror(w->origin, number, pocket->url);
	snprintf(message.facts.date, sizeof(message.facts.date), "%s", pocket->release->date);
	snprintf(message.facts.origin, sizeof(message.facts.origin), "%s",
		 pocket->release->origin ? pocket->release->origin : "");
	message.facts.generation = pocket->release->generation;
	return work_send(w, &message, -1, err);
}
