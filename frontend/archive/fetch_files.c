#include "frontend/archive/fetch_files.h"

int signed_file_urls(const struct fetch_work *w, const char *directory, const char *file,
		     const struct release_file *signed_as, struct download *d, struct error **err)
{
	const struct work_pocket *pocket = &w->pockets[0];
	_cleanup_free_ char *plain = NULL, *hashed = NULL;
	char hex[2 * SHA256_LEN + 1];
	size_t at = 0;

	sha256_to_hex(signed_as->sha256, hex);
	if (asprintf(&plain, "dists/%s/%s%s", w->origin->suite, directory, file) < 0 ||
	    asprintf(&hashed, "dists/%s/%sby-hash/SHA256/%s", w->origin->suite, directory, hex) < 0)
		return error_no_memory(err);
	if (pocket->release->by_hash && !(d->urls[at++] = download_url(pocket->mirror, hashed)))
		return error_no_memory(err);
	d->urls[at] = download_url(pocket->mirror, plain);
	return d->urls[at] ? 0 : error_no_memory(err);
}

int work_file(struct fetch_work *w, const char *path, struct error **err)
{
	_cleanup_(downloads_clear) struct downloads d = { .list = calloc(1, sizeof(*d.list)),
							  .count = 1 };
	struct release_file file;
	char *what;

	if (!d.list)
		return error_no_memory(err);
	if (!w->pockets[0].release)
		return error_set(err, ERR_SYSTEM, "no verified release file");
	if (!release_find(w->pockets[0].release, path, &file) || file.size > SIGNED_FILE_MAX)
		return error_set(err, ERR_MISSING, "the release file of %s lists no %s",
				 w->origin->suite, path);
	if (asprintf(&what, "%s of %s", path, w->origin->suite) < 0)
		return error_no_memory(err);
	d.list[0] = (struct download){ .what = what, .sha256 = file.sha256, .size = file.size };
	if (signed_file_urls(w, "", path, &file, &d.list[0], err) < 0)
		return -1;
	return download_all(w->downloader, d.list, d.count, w->indexes, NULL, w->progress, err);
}
