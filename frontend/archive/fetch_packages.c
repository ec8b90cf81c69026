/* Chooses packages, and downloads and unpacks the chosen ones. */
#include "frontend/archive/fetch_packages.h"

#include <string.h>
#include <sys/stat.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/deb_files.h"
#include "frontend/archive/fetch_lists.h"
#include "frontend/cli/word_list.h"
#include "lib/deb822.h"
#include "lib/hash.h"
#include "lib/write_all.h"

static void clear_kept(struct resolve_index **all)
{
	for (struct resolve_index *index = *all; index && index->packages; index++) {
		free((char *)(uintptr_t)index->kept);
		if (index->local)
			free((char *)(uintptr_t)index->packages);
	}
	free(*all);
}

/* The resolver's cache of an index is named by the index's hash, in another directory. Sets NUMBERS
 * to the pocket of each index of ALL. */
static int list_indexes(const struct fetch_work *w, uint32_t pockets, struct resolve_index *all,
			uint32_t *numbers, struct error **err)
{
	size_t count = 0;

	for (uint32_t i = 0; i < FETCH_POCKETS; i++) {
		const struct work_pocket *pocket = &w->pockets[i];

		if (!(pockets & 1u << i))
			continue;
		/* The release's first component determines the essential packages. */
		for (size_t j = 0; j < pocket->index_count; j++, count++) {
			all[count].packages = pocket->indexes[j].packages;
			all[count].base = i == 0 && j == 0;
			memcpy(all[count].sha256, pocket->indexes[j].sha256, SHA256_LEN);
			numbers[count] = i;
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
			       const uint32_t *numbers, struct error **err)
{
	clear_packages(w);
	w->list = calloc(choices->count + 1, sizeof(*w->list));
	if (!w->list)
		return error_no_memory(err);
	for (size_t i = 0; i < choices->count; i++) {
		struct choice *from = &choices->list[i];
		struct work_package to = { .size = from->size, .pocket = numbers[from->index] };

		/* The user's own packages are in the cache. */
		to.url = to.pocket == FETCH_LOCAL
				 ? strdup(from->filename)
				 : download_url(w->pockets[to.pocket].mirror, from->filename);
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
	for (char *const *name = choices->removed; name && *name; name++) {
		struct fetch_message message = { .kind = FETCH_REMOVED };

		snprintf(message.removed.name, sizeof(message.removed.name), "%s", *name);
		if (work_send(w, &message, -1, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < w->count; i++) {
		const struct work_package *package = &w->list[i];
		struct fetch_message message = { .kind = FETCH_PACKAGE };

		message.package.size = package->size;
		message.package.pocket = package->pocket;
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

/* Copies FD, whose hash is SUM, into the cache. */
static int keep_deb(const struct fetch_work *w, int fd, const uint8_t sum[static SHA256_LEN],
		    struct error **err)
{
	_cleanup_(cache_draft_end) struct cache_draft draft = CACHE_DRAFT_NONE;
	char data[1 << 16];
	off_t at = 0;
	ssize_t n;

	if (cache_begin_alone(w->packages, &draft, err) < 0)
		return -1;
	while ((n = RETRY_ON_EINTR(pread(fd, data, sizeof(data), at))) > 0) {
		if (write_all(draft.fd, data, (size_t)n) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot copy it into the cache");
		at += n;
	}
	if (n < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read it");
	switch (cache_commit(w->packages, sum, &draft, err)) {
	case 0:
		return 0;
	case 1:
		return error_set(err, ERR_INPUT, "it changed while it was read");
	default:
		return -1;
	}
}

static int add_local(struct fetch_work *w, const char *control, int fd,
		     const uint8_t sum[static SHA256_LEN], struct error **err)
{
	char hex[2 * SHA256_LEN + 1], *longer = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot stat it");
	sha256_to_hex(sum, hex);
	if (asprintf(&longer, "%s%s\nFilename: local\nSize: %jd\nSHA256: %s\n\n",
		     w->local ? w->local : "", control, (intmax_t)st.st_size, hex) < 0)
		return error_no_memory(err);
	free(w->local);
	w->local = longer;
	return 0;
}

static bool has_sound_field(const char *control, const char *field, bool (*valid)(const char *))
{
	size_t size = 0;
	const char *value = stanza_field(control, strlen(control), field, &size);
	char text[VERSION_MAX + 1];

	if (!value || size >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)size, value);
	return valid(text);
}

/* The same checks as for a package of the archive, where a failure is the archive's. */
static int check_control(const char *control, struct error **err)
{
	if (has_sound_field(control, "Package", valid_package_name) &&
	    has_sound_field(control, "Version", valid_package_version) &&
	    has_sound_field(control, "Architecture", valid_archive_word))
		return 0;
	return error_set(err, ERR_INPUT,
			 "its control file has no valid Package, Version and Architecture");
}

int work_take_deb(struct fetch_work *w, int deb, struct error **err)
{
	_cleanup_free_ char *path = NULL, *control = NULL;
	uint8_t sum[SHA256_LEN];

	if (file_sha256(deb, sum, err) < 0 || keep_deb(w, deb, sum, err) < 0)
		return -1;
	path = cache_file(w->packages, sum, err);
	control = path ? deb_files_control(path, err) : NULL;
	if (!control || check_control(control, err) < 0)
		return -1;
	return add_local(w, control, deb, sum, err);
}

/* Writes the list of the user's own packages into the cache, as its last index. */
static int list_local(const struct fetch_work *w, struct resolve_index *index, struct error **err)
{
	_cleanup_(cache_draft_end) struct cache_draft draft = CACHE_DRAFT_NONE;

	hash_of(w->local, strlen(w->local), index->sha256);
	if (cache_begin_alone(w->indexes, &draft, err) < 0)
		return -1;
	if (write_all(draft.fd, w->local, strlen(w->local)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot list the packages given as files");
	if (cache_commit(w->indexes, index->sha256, &draft, err) != 0)
		return error_set(err, ERR_SYSTEM, "cannot list the packages given as files");
	index->local = true;
	index->packages = cache_file(w->indexes, index->sha256, err);
	return index->packages ? 0 : -1;
}

static void forget_words(struct fetch_work *w)
{
	for (size_t i = 0; i < WANT_KINDS; i++)
		words_free(w->words[i].list);
	memset(w->words, 0, sizeof(w->words));
}

static const char *const *work_list(const struct fetch_work *w, enum fetch_want list)
{
	return (const char *const *)w->words[list].list;
}

static int fetch_packages_choose(struct fetch_work *w, const struct fetch_message *m, int installed,
				 struct error **err)
{
	const struct wanted wanted = {
		.packages = work_list(w, WANT_PACKAGE),
		.optional = work_list(w, WANT_OPTIONAL),
		.removed = work_list(w, WANT_REMOVED),
		.kept = work_list(w, WANT_KEPT),
		.installed = installed,
	};
	_cleanup_(choices_clear) struct choices choices = { 0 };
	_cleanup_(clear_kept) struct resolve_index *all = NULL;
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t count = 0;

	for (size_t i = 0; i < FETCH_POCKETS; i++)
		count += m->choose.pockets & 1u << i ? w->pockets[i].index_count : 0;
	all = calloc(count + 2, sizeof(*all));
	numbers = calloc(count + 2, sizeof(*numbers));
	if (!all || !numbers)
		return error_no_memory(err);
	numbers[count] = FETCH_LOCAL;
	if (list_indexes(w, m->choose.pockets, all, numbers, err) < 0 ||
	    (w->local && list_local(w, &all[count++], err) < 0) ||
	    resolve(all, count, w->origin->suite, w->origin->arch,
		    (enum package_base)m->choose.base, &wanted, &choices, err) < 0 ||
	    fetch_packages_take(w, &choices, numbers, err) < 0)
		return -1;
	return tell_choices(w, &choices, err);
}

int work_choose(struct fetch_work *w, const struct fetch_message *choose, int installed,
		struct error **err)
{
	int r = work_lists(w, err);

	if (r == 0) {
		progress_stage(w->progress, "Choosing packages");
		r = fetch_packages_choose(w, choose, installed, err);
	}
	forget_words(w);
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
