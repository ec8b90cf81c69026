#include "frontend/archive/resolve_cache.h"

#include <solv/knownid.h>
#include <solv/repo_solv.h>
#include <solv/repo_write.h>
#include <solv/solvversion.h>
#include <string.h>

#include "frontend/archive/kept_file.h"

/* The file has the names, a NUL, and libsolv's output. */
#define FORMAT "rootlet-solv 3 "

static void name_format(char format[static KEPT_FORMAT_SIZE])
{
	snprintf(format, KEPT_FORMAT_SIZE, FORMAT "%s", solv_version);
}

bool resolve_cache_load(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			char **base)
{
	_cleanup_fclose_ FILE *file = NULL;
	char format[KEPT_FORMAT_SIZE];
	size_t size = 0, base_size;

	name_format(format);
	*base = kept_file_read(path, format, index, &size);
	if (!*base)
		return false;
	base_size = strlen(*base) + 1;
	if (base_size < size)
		file = fmemopen(*base + base_size, size - base_size, "r");
	if (file && repo_add_solv(repo, file, 0) == 0)
		return true;
	repo_empty(repo, 1);
	free(*base);
	*base = NULL;
	return false;
}

/* Keeps only fields that affect the choice or are recorded with it: descriptions are most of an
 * index. */
static int keep_key(Repo *repo, Repokey *key, void *context)
{
	static const Id kept[] = {
		SOLVABLE_NAME,	    SOLVABLE_EVR,	   SOLVABLE_ARCH,	 SOLVABLE_VENDOR,
		SOLVABLE_PROVIDES,  SOLVABLE_REQUIRES,	   SOLVABLE_CONFLICTS,	 SOLVABLE_OBSOLETES,
		SOLVABLE_SUGGESTS,  SOLVABLE_RECOMMENDS,   SOLVABLE_SUPPLEMENTS, SOLVABLE_ENHANCES,
		SOLVABLE_CHECKSUM,  SOLVABLE_MEDIADIR,	   SOLVABLE_MEDIAFILE,	 SOLVABLE_MEDIANR,
		SOLVABLE_MEDIABASE, SOLVABLE_DOWNLOADSIZE, SOLVABLE_SOURCENAME,	 SOLVABLE_SOURCEEVR,
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (key->name == kept[i])
			return repo_write_stdkeyfilter(repo, key, context);
	return KEY_STORAGE_DROPPED;
}

void resolve_cache_save(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			const char *base)
{
	_cleanup_free_ char *contents = NULL;
	char format[KEPT_FORMAT_SIZE];
	size_t size = 0;
	FILE *f = open_memstream(&contents, &size);
	bool good;

	if (!f)
		return;
	fwrite(base, 1, strlen(base) + 1, f);
	good = repo_write_filtered(repo, f, keep_key, NULL, NULL) == 0;
	if (fclose(f) == 0 && good) {
		name_format(format);
		kept_file_write(path, format, index, contents, size);
	}
}
