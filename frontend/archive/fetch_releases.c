/* InRelease files: downloads them to sealed memory files, and parses each once the helper has
 * verified the same memory file. */
#include "frontend/archive/fetch_releases.h"

#include <fcntl.h>
#include <string.h>

#include "lib/error_wrap.h"
#include "lib/signature.h"

#define INRELEASE_MAX (16 * 1024 * 1024)

static char *inrelease_url(const char *mirror, const char *suite, const char *pocket)
{
	_cleanup_free_ char *path = NULL;

	if (!mirror ||
	    asprintf(&path, "dists/%s%s%s/InRelease", suite, pocket[0] ? "-" : "", pocket) < 0)
		return NULL;
	return download_url(mirror, path);
}

static int plan_inrelease(const struct fetch_work *w, const char *pocket, struct download *d,
			  struct error **err)
{
	const struct origin *o = w->origin;
	bool security = strcmp(pocket, "security") == 0;
	char *what;

	if (asprintf(&what, "InRelease of %s%s%s", o->suite, pocket[0] ? "-" : "", pocket) < 0)
		return error_no_memory(err);
	*d = (struct download){ .what = what, .size = INRELEASE_MAX, .optional = pocket[0] };
	if (security) {
		for (size_t i = 0; i < SOURCE_POCKET_MIRRORS && i < DOWNLOAD_URLS; i++)
			d->urls[i] = inrelease_url(o->security[i], o->suite, pocket);
		if (d->urls[0])
			return 0;
	}
	/* The host's configuration may name no security mirror for Debian, and the archive none. */
	d->urls[0] = inrelease_url(o->mirror, o->suite, pocket);
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
	for (uint32_t i = 0; i < FETCH_POCKETS; i++) {
		if (!(pockets >> i & 1))
			continue;
		numbers[d.count] = i;
		if (plan_inrelease(w, fetch_pockets[i], &d.list[d.count++], err) < 0)
			return -1;
	}
	if (download_all(w->downloader, d.list, d.count, w->indexes, NULL, w->progress, err) < 0)
		return -1;
	for (size_t i = 0; i < d.count; i++)
		if (tell_release(w, numbers[i], &d.list[i], err) < 0)
			return -1;
	return 0;
}

/* The mirror that the pocket came from, which also has its packages. */
static const char *mirror_of(const struct fetch_work *w, uint32_t number)
{
	const struct origin *o = w->origin;
	size_t url = w->pockets[number].url;

	if (strcmp(fetch_pockets[number], "security") == 0 && o->security[url])
		return o->security[url];
	return o->mirror;
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
	pocket->mirror = mirror_of(w, number);
	snprintf(message.facts.date, sizeof(message.facts.date), "%s", pocket->release->date);
	snprintf(message.facts.origin, sizeof(message.facts.origin), "%s",
		 pocket->release->origin ? pocket->release->origin : "");
	return work_send(w, &message, -1, err);
}
