#include "frontend/packages.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>

#include "frontend/cache.h"
#include "frontend/download.h"
#include "frontend/permission.h"
#include "frontend/release.h"
#include "frontend/release_seen.h"
#include "frontend/resolve_cache.h"
#include "frontend/text.h"
#include "lib/release_memory.h"
#include "lib/write_all.h"
#include "policy/ini_text.h"

#define APT_FOLDER "/etc/apt"
#define INRELEASE_MAX (16 * 1024 * 1024)
#define INDEX_MAX (512 * 1024 * 1024)
#define RETRIES 2 /* for a release file that is newer */
#define RETRY_SECONDS 1
#define BLOCK_SIZE (256 * 1024)
#define KEEP_PACKAGES (90 * 24 * 60 * 60) /* seconds since the last use */
#define KEEP_INDEXES (14 * 24 * 60 * 60)

static const char *const pocket_names[] = { "", "updates", "security" };
#define POCKETS (sizeof(pocket_names) / sizeof(pocket_names[0]))

/* What the steps work on. RELEASES go with the pockets of the set. */
struct fetch {
	struct origin *origin;
	struct package_set *set;
	struct release *releases[POCKETS];
	char *indexes, *packages, *kept; /* folders of the cache */
	struct progress *progress;
	bool allow_older, for_rootfs;
};

static int short_of_memory(struct error **err)
{
	return error_set(err, ERR_SYSTEM, "cannot fetch packages: out of memory");
}

void packages_close(struct fetch **fetch)
{
	struct fetch *f = *fetch;

	if (!f)
		return;
	for (size_t i = 0; i < POCKETS; i++)
		release_free(&f->releases[i]);
	package_set_free(&f->set);
	origin_free(&f->origin);
	free(f->indexes);
	free(f->packages);
	free(f->kept);
	free(f);
	*fetch = NULL;
}

struct downloads {
	struct download *list;
	size_t count;
};

static void downloads_clear(struct downloads *d)
{
	for (size_t i = 0; d->list && i < d->count; i++) {
		free((char *)(uintptr_t)d->list[i].what);
		download_clear(&d->list[i]);
	}
	free(d->list);
}

/* --- InRelease --- */

static char *inrelease_url(const char *mirror, const char *suite, const char *pocket)
{
	_cleanup_free_ char *path = NULL;

	if (!mirror ||
	    asprintf(&path, "dists/%s%s%s/InRelease", suite, pocket[0] ? "-" : "", pocket) < 0)
		return NULL;
	return download_url(mirror, path);
}

static int plan_inrelease(const struct fetch *f, const char *pocket, struct download *d,
			  struct error **err)
{
	const struct origin *o = f->origin;
	bool security = strcmp(pocket, "security") == 0;
	char *what;

	if (asprintf(&what, "InRelease of %s%s%s", o->suite, pocket[0] ? "-" : "", pocket) < 0)
		return short_of_memory(err);
	*d = (struct download){ .what = what, .size = INRELEASE_MAX, .optional = pocket[0] };
	if (security) {
		for (size_t i = 0; i < SOURCE_POCKET_MIRRORS && i < DOWNLOAD_URLS; i++)
			d->urls[i] = inrelease_url(o->security[i], o->suite, pocket);
		if (d->urls[0])
			return 0;
	}
	/* Debian's host configuration may name no place for security, and its archive none. */
	d->urls[0] = inrelease_url(o->mirror, o->suite, pocket);
	return d->urls[0] ? 0 : short_of_memory(err);
}

/* The mirror that the pocket came from: its packages are there as well. */
static const char *pocket_mirror(const struct origin *o, const char *pocket, size_t url)
{
	if (strcmp(pocket, "security") == 0 && o->security[url])
		return o->security[url];
	return o->mirror;
}

/* Verifies what came. 0 where it is as new as any before, else 1, with *NEWEST set. */
static int verify_release(const struct fetch *f, const char *name, const struct download *d,
			  struct release **release, int64_t *newest, struct error **err)
{
	_cleanup_free_ char *path = NULL, *key = NULL;
	_cleanup_free_ char *place = release_seen_place(pocket_mirror(f->origin, name, d->url));
	_cleanup_error_ struct error *why = NULL;
	_cleanup_close_ int memory = release_seen_open(&path, &why);
	char *text = release_verify(d->data, d->length, f->origin->keyring, d->what, err);

	release_free(release);
	if (!text || release_parse(text, d->what, release, err) < 0 ||
	    release_check(*release, f->origin->suite, name, time(NULL), err) < 0)
		return -1;
	if (!place ||
	    asprintf(&key, "%s%s%s %s", f->origin->suite, name[0] ? "-" : "", name, place) < 0)
		return short_of_memory(err);
	if (memory >= 0)
		return release_memory_take(memory, path, key, (*release)->made, time(NULL), newest,
					   err);
	progress_note(f->progress, "that %s gets older will not be noticed: %s", d->what,
		      error_text(why));
	return 0;
}

/* A mirror has many hosts, and caches lie before it: some may be behind, so an older file is asked
 * for again before it is refused. */
static int verify_newest(struct fetch *f, const char *name, struct download *d,
			 struct release **release, struct error **err)
{
	char suite[2 * SUITE_MAX + 2];
	int64_t newest = 0;
	int result = verify_release(f, name, d, release, &newest, err);

	for (int i = 0; i < RETRIES && result > 0 && !f->allow_older; i++) {
		progress_note(f->progress, "%s is older than one before: asking again", d->what);
		sleep(RETRY_SECONDS);
		free((char *)(uintptr_t)d->what);
		d->what = NULL;
		download_clear(d);
		if (plan_inrelease(f, name, d, err) < 0 ||
		    download_all(d, 1, f->indexes, NULL, f->progress, &f->set->downloaded, err) < 0)
			return -1;
		if (d->missing)
			return error_set(err, ERR_NETWORK, "%s is no longer at the mirror",
					 d->what);
		result = verify_release(f, name, d, release, &newest, err);
	}
	snprintf(suite, sizeof(suite), "%s%s%s", f->origin->suite, name[0] ? "-" : "", name);
	if (result > 0 && !f->allow_older)
		return release_memory_refuse(suite, (*release)->made, newest,
					     f->for_rootfs ? RELEASE_REMEDY
							   : "or create the rootfs again from "
							     "another mirror",
					     err);
	if (result > 0)
		progress_note(f->progress, "%s is older than one before, which is accepted",
			      d->what);
	return result < 0 ? -1 : 0;
}

static int add_pocket(struct fetch *f, const char *name, struct download *d, struct error **err)
{
	struct pocket *pocket = &f->set->pockets[f->set->pocket_count];
	struct release **release = &f->releases[f->set->pocket_count];
	uint8_t sha256[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	f->set->pocket_count++;
	if (verify_newest(f, name, d, release, err) < 0 ||
	    cache_store(f->indexes, d->data, d->length, sha256, &pocket->inrelease, err) < 0)
		return -1;
	sha256_to_hex(sha256, hex);
	pocket->older = f->allow_older;
	pocket->name = strdup(name);
	pocket->date = strdup((*release)->date);
	pocket->sha256_hex = strdup(hex);
	pocket->mirror = strdup(pocket_mirror(f->origin, name, d->url));
	pocket->place = pocket->mirror ? release_seen_place(pocket->mirror) : NULL;
	if (!pocket->name || !pocket->date || !pocket->sha256_hex || !pocket->place)
		return short_of_memory(err);
	return 0;
}

static int fetch_releases(struct fetch *f, struct error **err)
{
	_cleanup_(downloads_clear) struct downloads d = {
		.list = calloc(POCKETS, sizeof(*d.list)),
		.count = POCKETS,
	};

	f->set->pockets = calloc(POCKETS, sizeof(*f->set->pockets));
	if (!d.list || !f->set->pockets)
		return short_of_memory(err);
	for (size_t i = 0; i < POCKETS; i++)
		if (plan_inrelease(f, pocket_names[i], &d.list[i], err) < 0)
			return -1;
	if (download_all(d.list, d.count, f->indexes, NULL, f->progress, &f->set->downloaded, err) <
	    0)
		return -1;
	for (size_t i = 0; i < POCKETS; i++) {
		if (d.list[i].missing)
			progress_note(f->progress, "%s is not at the mirror: going on without",
				      d.list[i].what);
		else if (add_pocket(f, pocket_names[i], &d.list[i], err) < 0)
			return -1;
	}
	return 0;
}

/* --- Packages --- */

/* One index that is to be had: its compressed form, and what that must unpack to. */
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

/* Fills in the URLs of the form with SUFFIX: by its hash where the mirror has that, as a name may
 * lead to a newer file than our InRelease knows. */
static int index_urls(const struct fetch *f, const struct pocket *pocket, const char *component,
		      const char *suffix, const struct release_file *file, bool by_hash,
		      struct download *d, struct error **err)
{
	_cleanup_free_ char *folder = NULL, *plain = NULL, *hashed = NULL;
	char hex[2 * SHA256_LEN + 1];
	size_t at = 0;

	sha256_to_hex(file->sha256, hex);
	if (asprintf(&folder, "dists/%s%s%s/%s/binary-%s", f->origin->suite,
		     pocket->name[0] ? "-" : "", pocket->name, component, f->origin->arch) < 0 ||
	    asprintf(&hashed, "%s/by-hash/SHA256/%s", folder, hex) < 0 ||
	    asprintf(&plain, "%s/Packages%s", folder, suffix) < 0)
		return short_of_memory(err);
	if (by_hash && !(d->urls[at++] = download_url(pocket->mirror, hashed)))
		return short_of_memory(err);
	d->urls[at] = download_url(pocket->mirror, plain);
	return d->urls[at] ? 0 : short_of_memory(err);
}

/* Which of an index's forms InRelease lists: the plain one always, and the smallest. 1 where the
 * pocket has the component, 0 where not. */
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

/* Plans the download of COMPONENT's index, unless the cache has it unpacked. */
static int plan_index(struct fetch *f, size_t number, const char *component,
		      struct index_plans *plans, struct downloads *d, struct error **err)
{
	struct pocket *pocket = &f->set->pockets[number];
	struct pocket_index *index = &pocket->indexes[pocket->index_count];
	struct index_plan *plan = &plans->list[plans->count];
	struct download *download = &d->list[d->count];
	const char *suffix;
	char *what = NULL;
	int found;

	if (!find_index(f->releases[number], component, f->origin->arch, plan, &suffix)) {
		if (pocket->name[0])
			return 0;
		return error_set(err, ERR_INPUT,
				 "%s has no component %s for %s; choose others with --components "
				 "or another --arch",
				 f->origin->suite, component, f->origin->arch);
	}
	if (plan->plain.size > INDEX_MAX || plan->packed.size > INDEX_MAX)
		return error_set(err, ERR_TRUST, "cannot use Packages of %s: it is too large",
				 component);
	pocket->index_count++;
	if (!(index->component = strdup(component)))
		return short_of_memory(err);
	found = cache_find(f->indexes, plan->plain.sha256, plan->plain.size, &index->packages, err);
	if (found)
		return found < 0 ? -1 : 0;
	if (asprintf(&what, "Packages of %s in %s%s%s", component, f->origin->suite,
		     pocket->name[0] ? "-" : "", pocket->name) < 0)
		return short_of_memory(err);
	plan->index = index;
	plan->what = what;
	*download = (struct download){ .what = what,
				       .sha256 = plan->packed.sha256,
				       .size = plan->packed.size };
	plans->count++;
	d->count++;
	return index_urls(f, pocket, component, suffix, &plan->packed, f->releases[number]->by_hash,
			  download, err);
}

static void archive_closep(struct archive **archive)
{
	if (*archive)
		archive_read_free(*archive);
}

/* Copies what ARCHIVE has into FD, at most SIZE bytes. */
static int unpack_data(struct archive *archive, int fd, const struct index_plan *plan,
		       struct error **err)
{
	_cleanup_free_ char *block = malloc(BLOCK_SIZE);
	uint64_t total = 0;
	la_ssize_t n = 0;

	while (block && (n = archive_read_data(archive, block, BLOCK_SIZE)) > 0) {
		total += (uint64_t)n;
		if (total > plan->plain.size)
			return error_set(err, ERR_TRUST,
					 "cannot unpack %s: it is longer than the signed index "
					 "says; name another mirror with --mirror URL",
					 plan->what);
		if (write_all(fd, block, (size_t)n) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot unpack %s", plan->what);
	}
	if (!block)
		return short_of_memory(err);
	if (n < 0)
		return error_set(err, ERR_TRUST, "cannot unpack %s: %s", plan->what,
				 archive_error_string(archive));
	return 0;
}

static int unpack(const char *path, int fd, const struct index_plan *plan, struct error **err)
{
	_cleanup_(archive_closep) struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	int result;

	if (!archive)
		return short_of_memory(err);
	/* Else libarchive was built without them and would start a program. */
	if (archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) != ARCHIVE_OK)
		return error_set(err, ERR_HOST, "cannot unpack %s: libarchive lacks xz or gzip",
				 plan->what);
	archive_read_support_format_raw(archive);
	archive_read_support_format_empty(archive);
	if (archive_read_open_filename(archive, path, BLOCK_SIZE) != ARCHIVE_OK)
		return error_set(err, ERR_SYSTEM, "cannot unpack %s: %s", plan->what,
				 archive_error_string(archive));
	result = archive_read_next_header(archive, &entry);
	if (result == ARCHIVE_EOF)
		return 0;
	if (result != ARCHIVE_OK)
		return error_set(err, ERR_TRUST, "cannot unpack %s: %s", plan->what,
				 archive_error_string(archive));
	return unpack_data(archive, fd, plan, err);
}

/* From the compressed form at PACKED to the plain one, which has a place of its own in the cache.
 * The compressed one stays, as another process may be reading it, until it is old. */
static int unpack_index(const struct fetch *f, const char *packed, const struct index_plan *plan,
			struct error **err)
{
	_cleanup_(cache_draft_end) struct cache_draft draft = CACHE_DRAFT_NONE;
	const uint8_t *sha256 = plan->plain.sha256;

	if (memcmp(sha256, plan->packed.sha256, SHA256_LEN) != 0) {
		if (cache_begin_alone(f->indexes, &draft, err) < 0 ||
		    unpack(packed, draft.fd, plan, err) < 0)
			return -1;
		switch (cache_commit(f->indexes, sha256, &draft, err)) {
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
	plan->index->packages = cache_file(f->indexes, sha256, err);
	return plan->index->packages ? 0 : -1;
}

static size_t component_count(const struct origin *o)
{
	size_t n = 0;

	while (o->components[n])
		n++;
	return n;
}

static int fetch_indexes(struct fetch *f, struct error **err)
{
	size_t components = component_count(f->origin);
	size_t most = components * f->set->pocket_count;
	_cleanup_(downloads_clear) struct downloads d = {
		.list = calloc(most + 1, sizeof(*d.list)),
	};
	_cleanup_(index_plans_clear) struct index_plans plans = {
		.list = calloc(most + 1, sizeof(*plans.list)),
	};

	if (!d.list || !plans.list)
		return short_of_memory(err);
	for (size_t i = 0; i < f->set->pocket_count; i++) {
		struct pocket *pocket = &f->set->pockets[i];

		pocket->indexes = calloc(components + 1, sizeof(*pocket->indexes));
		if (!pocket->indexes)
			return short_of_memory(err);
		for (size_t j = 0; j < components; j++)
			if (plan_index(f, i, f->origin->components[j], &plans, &d, err) < 0)
				return -1;
	}
	if (download_all(d.list, d.count, f->indexes, NULL, f->progress, &f->set->downloaded, err) <
	    0)
		return -1;
	for (size_t i = 0; i < plans.count; i++)
		if (unpack_index(f, d.list[i].path, &plans.list[i], err) < 0)
			return -1;
	return 0;
}

/* --- packages --- */

static void clear_kept(struct resolve_index **all)
{
	for (struct resolve_index *index = *all; index && index->packages; index++)
		free((char *)(uintptr_t)index->kept);
	free(*all);
}

/* An index's name is its hash: what is kept of it has the same in another folder. */
static void name_kept(const struct fetch *f, struct resolve_index *index)
{
	const char *hex = strrchr(index->packages, '/') + 1;

	if (sha256_from_hex(hex, strlen(hex), index->sha256))
		index->kept = cache_file(f->kept, index->sha256, NULL);
}

/* Which pocket each index of ALL is of goes to POCKETS_OF. */
static int choose(const struct fetch *f, enum package_base base, const struct wanted *wanted,
		  struct choices *choices, const struct pocket ***pockets_of, struct error **err)
{
	_cleanup_(clear_kept) struct resolve_index *all = NULL;
	size_t count = 0;

	for (size_t i = 0; i < f->set->pocket_count; i++)
		count += f->set->pockets[i].index_count;
	all = calloc(count + 1, sizeof(*all));
	/* NOLINTNEXTLINE: the size of a pointer is meant. */
	*pockets_of = calloc(count + 1, sizeof(**pockets_of));
	if (!all || !*pockets_of)
		return short_of_memory(err);
	count = 0;
	for (size_t i = 0; i < f->set->pocket_count; i++) {
		const struct pocket *pocket = &f->set->pockets[i];

		/* What is essential is the release's first component's to say. */
		for (size_t j = 0; j < pocket->index_count; j++, count++) {
			all[count].packages = pocket->indexes[j].packages;
			all[count].base = i == 0 && j == 0;
			name_kept(f, &all[count]);
			(*pockets_of)[count] = pocket;
		}
	}
	return resolve(all, count, f->origin->suite, f->origin->arch, base, wanted, choices, err);
}

/* The folders that base-files has are to have its modes, so it comes first. */
static int take_packages(struct package_set *set, struct choices *choices,
			 const struct pocket *const *pockets_of, struct error **err)
{
	set->packages = calloc(choices->count + 1, sizeof(*set->packages));
	if (!set->packages)
		return short_of_memory(err);
	for (size_t i = 0; i < choices->count; i++) {
		struct choice *from = &choices->list[i];
		struct package to = { .size = from->size };

		to.url = download_url(pockets_of[from->index]->mirror, from->filename);
		to.name = STEAL_PTR(from->name);
		to.version = STEAL_PTR(from->version);
		to.arch = STEAL_PTR(from->arch);
		memcpy(to.sha256, from->sha256, SHA256_LEN);
		set->bytes += from->size;
		set->packages[set->package_count++] = to;
		if (!to.url)
			return short_of_memory(err);
		if (strcmp(to.name, "base-files") == 0) {
			set->packages[set->package_count - 1] = set->packages[0];
			set->packages[0] = to;
		}
	}
	return 0;
}

static int choose_packages(struct fetch *f, enum package_base base, const struct wanted *wanted,
			   struct error **err)
{
	_cleanup_(choices_clear) struct choices choices = { 0 };
	_cleanup_free_ const struct pocket **pockets_of = NULL;

	progress_stage(f->progress, "Choosing packages");
	if (choose(f, base, wanted, &choices, &pockets_of, err) < 0)
		return -1;
	f->set->left_out = STEAL_PTR(choices.left_out);
	return take_packages(f->set, &choices, pockets_of, err);
}

/* Passes on what the downloader tells. */
struct arrival {
	struct fetch *fetch;
	const struct download *list;
	int (*done)(const struct package *package, void *context, struct error **err);
	void *context;
};

static int arrive(const struct download *download, void *context, struct error **err)
{
	const struct arrival *a = context;
	struct package *package = &a->fetch->set->packages[download - a->list];

	package->path = strdup(download->path);
	if (!package->path)
		return short_of_memory(err);
	return a->done ? a->done(package, a->context, err) : 0;
}

int packages_download(struct fetch *f,
		      int (*done)(const struct package *package, void *context, struct error **err),
		      void *context, struct error **err)
{
	struct package_set *set = f->set;
	_cleanup_(downloads_clear) struct downloads d = {
		.list = calloc(set->package_count + 1, sizeof(*d.list)),
	};
	struct arrival arrival = { f, d.list, done, context };
	struct download_watch watch = { .done = arrive, .context = &arrival };
	size_t first = set->package_count > 0;

	if (!d.list)
		return short_of_memory(err);
	for (; d.count < set->package_count; d.count++) {
		const struct package *package = &set->packages[d.count];
		struct download *download = &d.list[d.count];
		char *what;

		if (asprintf(&what, "package %s", package->name) < 0)
			return short_of_memory(err);
		*download = (struct download){ .what = what,
					       .sha256 = package->sha256,
					       .size = package->size };
		download->urls[0] = strdup(package->url); /* NOLINT: every package has one */
		if (!download->urls[0]) {
			free(what);
			return short_of_memory(err);
		}
	}
	if (download_all(d.list, first, f->packages, &watch, NULL, &set->downloaded, err) < 0)
		return -1;
	watch.files = first;
	watch.bytes = first ? d.list[0].size : 0;
	if (download_all(d.list + first, d.count - first, f->packages, &watch, f->progress,
			 &set->downloaded, err) < 0)
		return -1;
	cache_prune(f->packages, KEEP_PACKAGES);
	cache_prune(f->indexes, KEEP_INDEXES);
	cache_prune(f->kept, KEEP_INDEXES);
	return 0;
}

/* --- all of it --- */

/* What the set says of itself. A distribution that is not in our table is called what its archive
 * calls itself. */
static int describe(struct fetch *f, struct error **err)
{
	const struct origin *o = f->origin;
	const char *named = f->releases[0]->origin;
	struct package_set *set = f->set;

	set->mirror = strdup(o->mirror);
	set->keyring = strdup(o->keyring);
	set->suite = strdup(o->suite);
	set->arch = strdup(o->arch);
	set->distribution = strdup(o->distribution ? o->distribution : named ? named : "unknown");
	if (!set->mirror || !set->keyring || !set->suite || !set->arch || !set->distribution)
		return short_of_memory(err);
	text_clean(set->distribution);
	return 0;
}

/* What is fetched besides the packages of a rootfs is told apart from these. */
static void fetch_progress_stage(struct progress *progress, const char *name,
				 const struct source *source)
{
	char text[80];

	snprintf(text, sizeof(text), "%s%s%s", name, source->purpose ? " of " : "",
		 source->purpose ? source->purpose : "");
	progress_stage(progress, text);
}

static int open_all(struct fetch *f, const struct source *source, struct error **err)
{
	if (source_plan(source, APT_FOLDER, &f->origin, err) < 0 ||
	    permission_mirrors(f->origin, err) < 0 ||
	    (source->allow_older && permission_older(err) < 0))
		return -1;
	f->allow_older = source->allow_older;
	f->for_rootfs = !source->purpose;
	f->indexes = cache_path("indexes", err);
	f->packages = f->indexes ? cache_path("packages", err) : NULL;
	f->kept = f->packages ? cache_path(RESOLVE_CACHE_FOLDER, err) : NULL;
	if (!f->kept)
		return -1;
	fetch_progress_stage(f->progress, "Downloading package lists", source);
	return fetch_releases(f, err) < 0 ? -1 : describe(f, err);
}

int packages_open(const struct source *source, struct progress *progress, struct fetch **out,
		  struct error **err)
{
	_cleanup_(packages_close) struct fetch *f = calloc(1, sizeof(*f));

	if (f)
		f->set = calloc(1, sizeof(*f->set));
	if (!f || !f->set)
		return short_of_memory(err);
	f->progress = progress;
	if (open_all(f, source, err) < 0)
		return -1;
	*out = STEAL_PTR(f);
	return 0;
}

int packages_choose(struct fetch *f, enum package_base base, const struct wanted *wanted,
		    struct error **err)
{
	return fetch_indexes(f, err) < 0 ? -1 : choose_packages(f, base, wanted, err);
}

const struct package_set *packages_set(const struct fetch *f)
{
	return f->set;
}

int packages_fetch(const struct source *source, enum package_base base, const char *const *wanted,
		   struct progress *progress, struct package_set **out, struct error **err)
{
	_cleanup_(packages_close) struct fetch *f = NULL;

	if (packages_open(source, progress, &f, err) < 0 ||
	    packages_choose(f, base, &(struct wanted){ .packages = wanted }, err) < 0)
		return -1;
	fetch_progress_stage(progress, "Downloading packages", source);
	if (packages_download(f, NULL, NULL, err) < 0)
		return -1;
	*out = STEAL_PTR(f->set);
	return 0;
}

static void pocket_clear(struct pocket *pocket)
{
	for (size_t i = 0; i < pocket->index_count; i++) {
		free(pocket->indexes[i].component);
		free(pocket->indexes[i].packages);
	}
	free(pocket->indexes);
	free(pocket->name);
	free(pocket->inrelease);
	free(pocket->date);
	free(pocket->place);
	free(pocket->sha256_hex);
	free(pocket->mirror);
}

void package_set_free(struct package_set **set)
{
	struct package_set *s = *set;

	if (!s)
		return;
	for (size_t i = 0; i < s->pocket_count; i++)
		pocket_clear(&s->pockets[i]);
	for (size_t i = 0; i < s->package_count; i++) {
		free(s->packages[i].name);
		free(s->packages[i].version);
		free(s->packages[i].arch);
		free(s->packages[i].url);
		free(s->packages[i].path);
	}
	free(s->pockets);
	free(s->packages);
	words_free(s->left_out);
	free(s->mirror);
	free(s->keyring);
	free(s->suite);
	free(s->arch);
	free(s->distribution);
	free(s);
	*set = NULL;
}
