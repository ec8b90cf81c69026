/* Chooses packages, and downloads and unpacks the chosen ones. */
#include "frontend/archive/fetch_packages.h"

#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/deb_files.h"
#include "frontend/archive/fetch_lists.h"
#include "frontend/archive/resolve_cache.h"
#include "frontend/cli/word_list.h"

static void clear_kept(struct resolve_index **all)
{
	for (struct resolve_index *index = *all; index && index->packages; index++)
		free((char *)(uintptr_t)index->kept);
	free(*all);
}

/* The resolver's cache of an index is named by the index's hash, in another directory. Sets MIRRORS
 * to the mirror that each index of ALL came from. */
static int list_indexes(const struct fetch_work *w, struct resolve_index *all, const char **mirrors,
			struct error **err)
{
	size_t count = 0;

	for (size_t i = 0; i < FETCH_POCKETS; i++) {
		const struct work_pocket *pocket = &w->pockets[i];

		/* The release's first component determines the essential packages. */
		for (size_t j = 0; j < pocket->index_count; j++, count++) {
			all[count].packages = pocket->indexes[j].packages;
			all[count].base = i == 0 && j == 0;
			memcpy(all[count].sha256, pocket->indexes[j].sha256, SHA256_LEN);
			mirrors[count] = pocket->mirror;
			if (w->kept &&
			    !(all[count].kept = cache_file(w->kept, all[count].sha256, err)))
				return -1;
		}
	}
	return 0;
}

static void clear_packages(struct fetch_work *w)
{
	for (size_t i = 0; i < w->count; i++) {
		free(w->list[i].name);
		free(w->list[i].version);
		free(w->list[i].arch);
		free(w->list[i].url);
		free(w->list[i].path);
		free(w->list[i].source);
		free(w->list[i].source_version);
	}
	free(w->list);
	w->list = NULL;
	w->count = 0;
}

/* Puts base-files first: its directories must get the modes that it gives them. */
static int fetch_packages_take(struct fetch_work *w, struct choices *choices,
			       const char *const *mirrors, struct error **err)
{
	clear_packages(w);
	w->list = calloc(choices->count + 1, sizeof(*w->list));
	if (!w->list)
		return error_no_memory(err);
	for (size_t i = 0; i < choices->count; i++) {
		struct choice *from = &choices->list[i];
		struct work_package to = { .size = from->size };

		to.url = download_url(mirrors[from->index], from->filename);
		to.name = STEAL_PTR(from->name);
		to.version = STEAL_PTR(from->version);
		to.arch = STEAL_PTR(from->arch);
		to.source = STEAL_PTR(from->source);
		to.source_version = STEAL_PTR(from->source_version);
		memcpy(to.sha256, from->sha256, SHA256_LEN);
		w->list[w->count++] = to;
		if (!to.url)
			return error_no_memory(err);
		if (strcmp(to.name, "base-files") == 0) {
			w->list[w->count - 1] = w->list[0];
			w->list[0] = to;
		}
	}
	return 0;
}

static int tell_choices(struct fetch_work *w, const struct choices *choices, struct error **err)
{
	for (char *const *word = choices->left_out; word && *word; word++) {
		struct fetch_message message = { .kind = FETCH_LEFT_OUT };

		snprintf(message.left_out.word, sizeof(message.left_out.word), "%s", *word);
		if (work_send(w, &message, -1, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < w->count; i++) {
		const struct work_package *package = &w->list[i];
		struct fetch_message message = { .kind = FETCH_PACKAGE };

		message.package.size = package->size;
		memcpy(message.package.sha256, package->sha256, SHA256_LEN);
		snprintf(message.package.name, sizeof(message.package.name), "%s", package->name);
		snprintf(message.package.version, sizeof(message.package.version), "%s",
			 package->version);
		snprintf(message.package.arch, sizeof(message.package.arch), "%s", package->arch);
		snprintf(message.package.source, sizeof(message.package.source), "%s",
			 package->source);
		snprintf(message.package.source_version, sizeof(message.package.source_version),
			 "%s", package->source_version);
		if (work_send(w, &message, -1, err) < 0)
			return -1;
	}
	return 0;
}

static void forget_wanted(struct fetch_work *w)
{
	words_free(w->wanted);
	words_free(w->optional);
	w->wanted = w->optional = NULL;
	w->wanted_count = w->optional_count = 0;
}

static int fetch_packages_choose(struct fetch_work *w, enum package_base base, struct error **err)
{
	const struct wanted wanted = {
		.packages = (const char *const *)w->wanted,
		.optional = (const char *const *)w->optional,
	};
	_cleanup_(choices_clear) struct choices choices = { 0 };
	_cleanup_(clear_kept) struct resolve_index *all = NULL;
	_cleanup_free_ const char **mirrors = NULL;
	size_t count = 0;

	for (size_t i = 0; i < FETCH_POCKETS; i++)
		count += w->pockets[i].index_count;
	all = calloc(count + 1, sizeof(*all));
	/* NOLINTNEXTLINE: the size of a pointer is intended. */
	mirrors = calloc(count + 1, sizeof(*mirrors));
	if (!all || !mirrors)
		return error_no_memory(err);
	if (list_indexes(w, all, mirrors, err) < 0 ||
	    resolve(all, count, w->origin->suite, w->origin->arch, base, &wanted, &choices, err) <
		    0 ||
	    fetch_packages_take(w, &choices, mirrors, err) < 0)
		return -1;
	return tell_choices(w, &choices, err);
}

int work_choose(struct fetch_work *w, enum package_base base, struct error **err)
{
	int r = work_lists(w, err);

	if (r == 0) {
		progress_stage(w->progress, "Choosing packages");
		r = fetch_packages_choose(w, base, err);
	}
	forget_wanted(w);
	return r;
}

/* Forwards the downloader's notifications to the parent. */
struct arrival {
	struct fetch_work *work;
	const struct download *list;
};

static int arrive(const struct download *download, void *context, struct error **err)
{
	const struct arrival *a = context;
	struct fetch_message message = { .kind = FETCH_ARRIVED };
	size_t number = (size_t)(download - a->list);

	free(a->work->list[number].path);
	a->work->list[number].path = strdup(download->path);
	if (!a->work->list[number].path)
		return error_no_memory(err);
	message.package_number.package = (uint32_t)number;
	return work_send(a->work, &message, -1, err);
}

static int plan_package(const struct work_package *package, struct download *download,
			struct error **err)
{
	char *what;

	if (asprintf(&what, "package %s", package->name) < 0)
		return error_no_memory(err);
	*download =
		(struct download){ .what = what, .sha256 = package->sha256, .size = package->size };
	download->urls[0] = strdup(package->url);
	return download->urls[0] ? 0 : error_no_memory(err);
}

/* Downloads the first package before requesting the others. */
int work_download(struct fetch_work *w, struct error **err)
{
	_cleanup_(downloads_clear) struct downloads d = {
		.list = calloc(w->count + 1, sizeof(*d.list)),
	};
	struct arrival arrival = { w, d.list };
	struct download_watch watch = { .done = arrive, .context = &arrival };
	size_t first = w->count > 0;

	if (!d.list)
		return error_no_memory(err);
	while (d.count < w->count) {
		const struct work_package *package = &w->list[d.count];

		if (plan_package(package, &d.list[d.count++], err) < 0)
			return -1;
	}
	if (download_all(w->downloader, d.list, first, w->packages, &watch, NULL, err) < 0)
		return -1;
	watch.files = first;
	watch.bytes = first ? d.list[0].size : 0;
	return download_all(w->downloader, d.list + first, d.count - first, w->packages, &watch,
			    w->progress, err);
}

int work_unpack(struct fetch_work *w, uint32_t package, struct error **err)
{
	if (w->tree < 0 || package >= w->count || !w->list[package].path)
		return error_set(err, ERR_INPUT, "no such package to unpack");
	return deb_files_unpack(w->list[package].path, w->tree, w->place, err);
}
