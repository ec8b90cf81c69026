/* Package lists: finds them in an InRelease, downloads, unpacks and checks them against it. */
#include "frontend/archive/fetch_lists.h"

#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/index_reader.h"
#include "frontend/cli/word_list.h"
#include "lib/write_all.h"

#define INDEX_MAX (512 * 1024 * 1024)

/* An index to download: its compressed form, and the file it must unpack to. */
struct index_plan {
	struct pocket_index *index;
	const char *what;
	struct release_file plain, packed;
};

struct index_plans {
	struct index_plan *list;
	size_t count;
};

static void index_plans_clear(struct index_plans *plans)
{
	free(plans->list);
}

/* Sets the URLs of the form with SUFFIX: by hash if the mirror supports it, because the file of
 * that name may be newer than our InRelease. */
static int index_urls(const struct fetch_work *w, uint32_t number, const char *component,
		      const char *suffix, const struct release_file *file, bool by_hash,
		      struct download *d, struct error **err)
{
	const struct work_pocket *pocket = &w->pockets[number];
	_cleanup_free_ char *dir = NULL, *plain = NULL, *hashed = NULL;
	char suite[POCKET_SUITE_SIZE];
	char hex[2 * SHA256_LEN + 1];
	size_t at = 0;

	sha256_to_hex(file->sha256, hex);
	pockets_suite(w->origin, number, suite);
	if (asprintf(&dir, "dists/%s/%s/binary-%s", suite, component, w->origin->arch) < 0 ||
	    asprintf(&hashed, "%s/by-hash/SHA256/%s", dir, hex) < 0 ||
	    asprintf(&plain, "%s/Packages%s", dir, suffix) < 0)
		return error_no_memory(err);
	if (by_hash && !(d->urls[at++] = download_url(pocket->mirror, hashed)))
		return error_no_memory(err);
	d->urls[at] = download_url(pocket->mirror, plain);
	return d->urls[at] ? 0 : error_no_memory(err);
}

/* Finds an index in InRelease: the plain form, and the smallest form. Returns 1 if the pocket has
 * the component, 0 if not. */
static int find_index(const struct release *release, const char *component, const char *arch,
		      struct index_plan *plan, const char **suffix)
{
	static const char *const suffixes[] = { ".xz", ".gz", "" };
	char path[2 * SUITE_MAX + 32];

	snprintf(path, sizeof(path), "%s/binary-%s/Packages", component, arch);
	if (!release_find(release, path, &plan->plain))
		return 0;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		*suffix = suffixes[i];
		snprintf(path, sizeof(path), "%s/binary-%s/Packages%s", component, arch,
			 suffixes[i]);
		if (release_find(release, path, &plan->packed))
			return 1;
	}
	return 0;
}

/* Returns 0 if the pocket can do without COMPONENT. */
static int refuse_component(const struct fetch_work *w, uint32_t number, const char *component,
			    struct error **err)
{
	const struct repository *repository = pockets_repository(w->origin, number);

	if (!pockets_required(number))
		return 0;
	if (repository)
		return error_set(err, ERR_INPUT,
				 "repository %s: %s has no component %s for %s; name another one "
				 "with --repository, or choose another --arch",
				 repository->mirror, repository->suite, component, w->origin->arch);
	return error_set(
		err, ERR_INPUT,
		"%s has no component %s for %s; choose others with --components or another "
		"--arch",
		w->origin->suite, component, w->origin->arch);
}

/* Plans the download of COMPONENT's index, unless the cache has it unpacked. */
static int plan_index(struct fetch_work *w, uint32_t number, const char *component,
		      struct index_plans *plans, struct downloads *d, struct error **err)
{
	struct work_pocket *pocket = &w->pockets[number];
	struct pocket_index *index = &pocket->indexes[pocket->index_count];
	struct index_plan *plan = &plans->list[plans->count];
	struct download *download = &d->list[d->count];
	char suite[POCKET_SUITE_SIZE];
	const char *suffix;
	char *what = NULL;
	int found;

	pockets_suite(w->origin, number, suite);
	if (!find_index(pocket->release, component, w->origin->arch, plan, &suffix))
		return refuse_component(w, number, component, err);
	if (plan->plain.size > INDEX_MAX || plan->packed.size > INDEX_MAX)
		return error_set(err, ERR_TRUST, "cannot use Packages of %s: it is too large",
				 component);
	pocket->index_count++;
	memcpy(index->sha256, plan->plain.sha256, SHA256_LEN);
	if (!(index->component = strdup(component)))
		return error_no_memory(err);
	found = cache_find(w->indexes, plan->plain.sha256, plan->plain.size, &index->packages, err);
	if (found)
		return found < 0 ? -1 : 0;
	if (asprintf(&what, "Packages of %s in %s", component, suite) < 0)
		return error_no_memory(err);
	plan->index = index;
	plan->what = what;
	*download = (struct download){ .what = what,
				       .sha256 = plan->packed.sha256,
				       .size = plan->packed.size };
	plans->count++;
	d->count++;
	return index_urls(w, number, component, suffix, &plan->packed, pocket->release->by_hash,
			  download, err);
}

/* An index as it is unpacked. */
struct unpacking {
	const struct index_plan *plan;
	uint64_t total;
	int fd;
};

/* Fails if the index is longer than the signed size. */
static int write_unpacked(const char *data, size_t size, void *context, struct error **err)
{
	struct unpacking *u = context;

	u->total += size;
	if (u->total > u->plan->plain.size)
		return error_set(err, ERR_TRUST,
				 "cannot unpack %s: it is longer than the signed index says; name "
				 "another mirror with --mirror URL",
				 u->plan->what);
	if (write_all(u->fd, data, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot unpack %s", u->plan->what);
	return 0;
}

/* Unpacks the compressed form at PACKED to the plain one, a separate file in the cache. Leaves the
 * compressed one until it is old, because another process may be reading it. */
static int unpack_index(const struct fetch_work *w, const char *packed,
			const struct index_plan *plan, struct error **err)
{
	_cleanup_(cache_draft_end) struct cache_draft draft = CACHE_DRAFT_NONE;
	const uint8_t *sha256 = plan->plain.sha256;
	struct unpacking unpacking = { .plan = plan };

	if (memcmp(sha256, plan->packed.sha256, SHA256_LEN) != 0) {
		if (cache_begin_alone(w->indexes, &draft, err) < 0)
			return -1;
		unpacking.fd = draft.fd;
		if (index_read(packed, plan->what, write_unpacked, &unpacking, err) < 0)
			return -1;
		switch (cache_commit(w->indexes, sha256, &draft, err)) {
		case 0:
			break;
		case 1:
			return error_set(err, ERR_TRUST,
					 "cannot use %s: its unpacked SHA-256 differs from the "
					 "signed index; name another mirror with --mirror URL",
					 plan->what);
		default:
			return -1;
		}
	}
	plan->index->packages = cache_file(w->indexes, sha256, err);
	return plan->index->packages ? 0 : -1;
}

static size_t count_components(const struct origin *o)
{
	size_t n = 0;

	for (uint32_t i = 0; i < pockets_count(o); i++)
		n += words_count(pockets_components(o, i));
	return n;
}

static int plan_lists(struct fetch_work *w, struct index_plans *plans, struct downloads *d,
		      struct error **err)
{
	for (uint32_t i = 0; i < pockets_count(w->origin); i++) {
		char *const *components = pockets_components(w->origin, i);
		struct work_pocket *pocket = &w->pockets[i];

		pocket_indexes_clear(&pocket->indexes, &pocket->index_count);
		if (!pocket->release)
			continue;
		pocket->indexes = calloc(words_count(components) + 1, sizeof(*pocket->indexes));
		if (!pocket->indexes)
			return error_no_memory(err);
		for (; *components; components++)
			if (plan_index(w, i, *components, plans, d, err) < 0)
				return -1;
	}
	return 0;
}

static int tell_lists(struct fetch_work *w, struct error **err)
{
	for (uint32_t i = 0; i < FETCH_POCKETS; i++)
		for (size_t j = 0; j < w->pockets[i].index_count; j++) {
			const struct pocket_index *index = &w->pockets[i].indexes[j];
			struct fetch_message message = { .kind = FETCH_INDEX };

			message.index.pocket = i;
			memcpy(message.index.sha256, index->sha256, SHA256_LEN);
			snprintf(message.index.component, sizeof(message.index.component), "%s",
				 index->component);
			if (work_send(w, &message, -1, err) < 0)
				return -1;
		}
	return 0;
}

int work_lists(struct fetch_work *w, struct error **err)
{
	size_t most = count_components(w->origin);
	_cleanup_(downloads_clear) struct downloads d = {
		.list = calloc(most + 1, sizeof(*d.list)),
	};
	_cleanup_(index_plans_clear) struct index_plans plans = {
		.list = calloc(most + 1, sizeof(*plans.list)),
	};

	if (!d.list || !plans.list)
		return error_no_memory(err);
	if (plan_lists(w, &plans, &d, err) < 0 ||
	    download_all(w->downloader, d.list, d.count, w->indexes, NULL, w->progress, err) < 0)
		return -1;
	for (size_t i = 0; i < plans.count; i++)
		if (unpack_index(w, d.list[i].path, &plans.list[i], err) < 0)
			return -1;
	return tell_lists(w, err);
}
