#include "frontend/archive/fetch_programs.h"

#include <string.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/fetch_files.h"
#include "frontend/archive/index_reader.h"
#include "frontend/archive/kept_file.h"
#include "frontend/archive/program_index.h"
#include "frontend/archive/program_list.h"
#include "frontend/cli/word_list.h"
#include "lib/hash.h"

#define PACKED_MAX (512 * 1024 * 1024)
#define PLAIN_MAX ((uint64_t)4 << 30) /* jammy's has 716 MiB */
#define PATH_SIZE 256

/* A Contents index to download. */
struct contents_plan {
	struct release_file packed, plain;
	bool of_component, has_plain; /* has_plain: the release file lists the plain form, too */
};

struct contents_plans {
	struct contents_plan *list;
	struct downloads downloads;
	size_t count;
};

/* An index as it is read. */
struct contents_reading {
	struct program_list *programs;
	struct sha256_ctx digest;
	const char *what;
	uint64_t total, most;
};

static void contents_plans_clear(struct contents_plans *plans)
{
	downloads_clear(&plans->downloads);
	free(plans->list);
}

/* Finds the smallest form of an index whose path, without suffix, is BASE. Returns the suffix, or
 * NULL if the release file signs none. */
static const char *find_contents(const struct release *release, const char *base,
				 struct release_file *packed)
{
	static const char *const suffixes[] = { ".xz", ".gz", "" };
	char path[PATH_SIZE];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", base, suffixes[i]);
		if (release_find(release, path, packed))
			return suffixes[i];
	}
	return NULL;
}

/* Plans the download of Contents-ARCH in DIRECTORY ("main/", or "" for all components), if the
 * release file signs it. */
static int plan_contents(const struct fetch_work *w, const char *directory, const char *arch,
			 struct contents_plans *plans, struct error **err)
{
	struct contents_plan *plan = &plans->list[plans->count];
	struct download *d = &plans->downloads.list[plans->downloads.count];
	char base[PATH_SIZE / 2], file[PATH_SIZE];
	const char *suffix;
	char *what = NULL;

	snprintf(base, sizeof(base), "%sContents-%s", directory, arch);
	suffix = find_contents(w->pockets[0].release, base, &plan->packed);
	if (!suffix)
		return 0;
	if (plan->packed.size > PACKED_MAX)
		return error_set(err, ERR_TRUST, "cannot use %s of %s: it is too large", base,
				 w->origin->suite);
	if (asprintf(&what, "%s of %s", base, w->origin->suite) < 0)
		return error_no_memory(err);
	snprintf(file, sizeof(file), "Contents-%s%s", arch, suffix);
	plan->of_component = *directory;
	plan->has_plain = release_find(w->pockets[0].release, base, &plan->plain);
	*d = (struct download){ .what = what,
				.sha256 = plan->packed.sha256,
				.size = plan->packed.size };
	plans->count++;
	plans->downloads.count++;
	return signed_file_urls(w, directory, file, &plan->packed, d, err);
}

/* Debian has an index for each component and architecture, and one for packages of all
 * architectures. Ubuntu has one of all components for each architecture. */
static int plan_all(const struct fetch_work *w, struct contents_plans *plans, struct error **err)
{
	const struct origin *o = w->origin;
	char directory[SUITE_MAX + 2];

	for (char **component = o->components; *component; component++) {
		snprintf(directory, sizeof(directory), "%s/", *component);
		if (plan_contents(w, directory, o->arch, plans, err) < 0 ||
		    plan_contents(w, directory, "all", plans, err) < 0)
			return -1;
	}
	if (plans->count == 0 && plan_contents(w, "", o->arch, plans, err) < 0)
		return -1;
	if (plans->count == 0)
		return error_set(err, ERR_MISSING,
				 "the release file of %s signs no Contents index for %s", o->suite,
				 o->arch);
	return 0;
}

/* One hash for all of them. */
static void hash_plans(const struct contents_plans *plans, uint8_t sum[static SHA256_LEN])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	for (size_t i = 0; i < plans->count; i++)
		sha256_update(&hash, SHA256_LEN, plans->list[i].packed.sha256);
	hash_end(&hash, sum);
}

static int take_contents(const char *data, size_t size, void *context, struct error **err)
{
	struct contents_reading *reading = context;

	reading->total += size;
	if (reading->total > reading->most)
		return error_set(err, ERR_TRUST,
				 "cannot unpack %s: it is longer than the release file says",
				 reading->what);
	hash_add(&reading->digest, data, size);
	return program_list_take(data, size, reading->programs, err);
}

/* Reads an index and compares the hash of its plain form, if that is signed. */
static int read_contents_index(const struct contents_plan *plan, const struct download *d,
			       struct contents_reading *reading, struct error **err)
{
	uint8_t sha256[SHA256_LEN];

	reading->what = d->what;
	reading->total = 0;
	reading->most = plan->has_plain ? plan->plain.size : PLAIN_MAX;
	sha256_init(&reading->digest);
	if (index_read(d->path, d->what, take_contents, reading, err) < 0 ||
	    program_list_end(reading->programs, err) < 0)
		return -1;
	hash_end(&reading->digest, sha256);
	if (plan->has_plain && memcmp(sha256, plan->plain.sha256, SHA256_LEN) != 0)
		return error_set(err, ERR_TRUST,
				 "cannot use %s: its unpacked SHA-256 differs from the signed one",
				 d->what);
	return 0;
}

static void contents_reading_end(struct contents_reading *reading)
{
	program_list_free(&reading->programs);
}

static int reduce_contents(const struct fetch_work *w, const struct contents_plans *plans,
			   const char *path, const uint8_t source[static SHA256_LEN],
			   struct error **err)
{
	const char *const *components = (const char *const *)w->origin->components;
	_cleanup_(contents_reading_end) struct contents_reading reading = {
		.programs = program_list_new(plans->list[0].of_component ? NULL : components),
	};
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!reading.programs)
		return error_no_memory(err);
	for (size_t i = 0; i < plans->count; i++)
		if (read_contents_index(&plans->list[i], &plans->downloads.list[i], &reading, err) <
		    0)
			return -1;
	text = program_list_text(reading.programs, &size, err);
	if (!text)
		return -1;
	kept_file_write(path, PROGRAM_INDEX_FORMAT, source, text, size);
	return 0;
}

static size_t plan_count(const struct origin *o)
{
	return 2 * words_count(o->components) + 1;
}

int work_programs(struct fetch_work *w, const uint8_t key[static SHA256_LEN], struct error **err)
{
	_cleanup_(contents_plans_clear) struct contents_plans plans = {
		.list = calloc(plan_count(w->origin), sizeof(*plans.list)),
		.downloads.list = calloc(plan_count(w->origin), sizeof(*plans.downloads.list)),
	};
	_cleanup_free_ char *path = w->kept ? cache_file(w->kept, key, err) : NULL;
	_cleanup_free_ char *current = NULL;
	uint8_t source[SHA256_LEN];
	size_t size;

	if (!plans.list || !plans.downloads.list)
		return error_no_memory(err);
	if (!path || !w->pockets[0].release)
		return error_set(err, ERR_SYSTEM, "no verified release file");
	if (plan_all(w, &plans, err) < 0)
		return -1;
	hash_plans(&plans, source);
	current = kept_file_read(path, PROGRAM_INDEX_FORMAT, source, &size);
	if (current)
		return 0;
	/* The files stay in the cache for a while: another process may be reading them. */
	if (download_all(w->downloader, plans.downloads.list, plans.downloads.count, w->indexes,
			 NULL, w->progress, err) < 0)
		return -1;
	return reduce_contents(w, &plans, path, source, err);
}
