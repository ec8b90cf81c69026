#include "frontend/archive/resolve_cache.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <solv/knownid.h>
#include <solv/repo_solv.h>
#include <solv/repo_write.h>
#include <solv/solvversion.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/write_all.h"

#define FORMAT "rootlet-solv 2 "
#define FILE_MAX ((off_t)256 << 20)

/* Followed, and covered by the checksum, by BASE_SIZE bytes of names and libsolv's output. */
struct header {
	char format[40];
	uint8_t index[SHA256_LEN], sum[SHA256_LEN];
	uint64_t base_size;
};

static void begin_header(struct header *h, const uint8_t index[static SHA256_LEN])
{
	memset(h, 0, sizeof(*h));
	snprintf(h->format, sizeof(h->format), FORMAT "%s", solv_version);
	memcpy(h->index, index, SHA256_LEN);
}

static bool hash_body(const struct header *h, const char *body, size_t size,
		      uint8_t sum[static SHA256_LEN])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(context, h->format, sizeof(h->format)) == 1 &&
		    EVP_DigestUpdate(context, h->index, sizeof(h->index)) == 1 &&
		    EVP_DigestUpdate(context, &h->base_size, sizeof(h->base_size)) == 1 &&
		    EVP_DigestUpdate(context, body, size) == 1 &&
		    EVP_DigestFinal_ex(context, sum, NULL) == 1;

	EVP_MD_CTX_free(context);
	return done;
}

/* Reads the part after the header, which the caller frees; NULL if the file is damaged. */
static char *read_body(int fd, struct header *h, size_t *size)
{
	_cleanup_free_ char *body = NULL;
	uint8_t sum[SHA256_LEN];
	size_t done = 0;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX ||
	    RETRY_ON_EINTR(pread(fd, h, sizeof(*h), 0)) != (ssize_t)sizeof(*h))
		return NULL;
	*size = (size_t)st.st_size - sizeof(*h);
	body = malloc(*size + 1);
	while (body && done < *size) {
		n = RETRY_ON_EINTR(
			pread(fd, body + done, *size - done, (off_t)(sizeof(*h) + done)));
		if (n <= 0)
			return NULL;
		done += (size_t)n;
	}
	if (!body || h->base_size >= *size || !hash_body(h, body, *size, sum) ||
	    memcmp(sum, h->sum, SHA256_LEN) != 0)
		return NULL;
	return STEAL_PTR(body);
}

bool resolve_cache_load(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			char **base)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *body = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	struct header have, want;
	size_t size;

	begin_header(&want, index);
	body = fd < 0 ? NULL : read_body(fd, &have, &size);
	if (!body || memcmp(have.format, want.format, sizeof(want.format)) != 0 ||
	    memcmp(have.index, want.index, sizeof(want.index)) != 0)
		return false;
	*base = strndup(body, have.base_size);
	file = fmemopen(body + have.base_size, size - have.base_size, "r");
	if (*base && file && repo_add_solv(repo, file, 0) == 0)
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

/* Writes to a temporary name first, so that a file is never incomplete. */
static void resolve_cache_publish(const char *path, const struct header *h, const char *body,
				  size_t size)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *draft = NULL;
	int fd;

	if (!slash || asprintf(&draft, "%.*s/.XXXXXX.part", (int)(slash - path), path) < 0)
		return;
	fd = mkostemps(draft, 5, O_CLOEXEC);
	if (fd < 0)
		return;
	if (write_all(fd, h, sizeof(*h)) < 0 || write_all(fd, body, size) < 0 ||
	    rename(draft, path) < 0)
		unlink(draft);
	close(fd);
}

void resolve_cache_save(const char *path, const uint8_t index[static SHA256_LEN], Repo *repo,
			const char *base)
{
	_cleanup_free_ char *body = NULL;
	size_t size = 0;
	struct header h;
	FILE *f = open_memstream(&body, &size);
	bool good;

	if (!f)
		return;
	begin_header(&h, index);
	h.base_size = strlen(base);
	fputs(base, f);
	good = repo_write_filtered(repo, f, keep_key, NULL, NULL) == 0;
	if (fclose(f) == 0 && good && hash_body(&h, body, size, h.sum))
		resolve_cache_publish(path, &h, body, size);
}

int resolve_cache_verify(int fd, struct error **err)
{
	struct header h;
	size_t size;
	char *body = read_body(fd, &h, &size);

	free(body);
	return body ? 0 : error_set(err, ERR_TRUST, "its checksum is wrong");
}
