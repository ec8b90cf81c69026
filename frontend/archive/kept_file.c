#include "frontend/archive/kept_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/hash.h"
#include "lib/write_all.h"

#define FILE_MAX ((off_t)256 << 20)

/* Followed, and covered by the checksum, by the contents. */
struct kept_header {
	char format[KEPT_FORMAT_SIZE];
	uint8_t source[SHA256_LEN], sum[SHA256_LEN];
};

static void hash_contents(const struct kept_header *h, const void *contents, size_t size,
			  uint8_t sum[static SHA256_LEN])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	hash_add(&hash, h->format, sizeof(h->format));
	hash_add(&hash, h->source, sizeof(h->source));
	hash_add(&hash, contents, size);
	hash_end(&hash, sum);
}

/* Reads the part after the header, which the caller frees; NULL if the file is damaged. */
static char *read_contents(int fd, struct kept_header *h, size_t *size)
{
	_cleanup_free_ char *contents = NULL;
	uint8_t sum[SHA256_LEN];
	size_t done = 0;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX ||
	    RETRY_ON_EINTR(pread(fd, h, sizeof(*h), 0)) != (ssize_t)sizeof(*h))
		return NULL;
	*size = (size_t)st.st_size - sizeof(*h);
	contents = malloc(*size + 1);
	while (contents && done < *size) {
		n = RETRY_ON_EINTR(
			pread(fd, contents + done, *size - done, (off_t)(sizeof(*h) + done)));
		if (n <= 0)
			return NULL;
		done += (size_t)n;
	}
	if (!contents)
		return NULL;
	hash_contents(h, contents, *size, sum);
	if (memcmp(sum, h->sum, SHA256_LEN) != 0)
		return NULL;
	contents[*size] = '\0';
	return STEAL_PTR(contents);
}

char *kept_file_read(const char *path, const char *format, const uint8_t *source, size_t *size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *contents = NULL;
	struct kept_header h;

	contents = fd < 0 ? NULL : read_contents(fd, &h, size);
	if (!contents || strncmp(h.format, format, sizeof(h.format)) != 0 ||
	    (source && memcmp(h.source, source, sizeof(h.source)) != 0))
		return NULL;
	return STEAL_PTR(contents);
}

/* Writes to a temporary name first, so that a file is never incomplete. */
static void kept_file_publish(const char *path, const struct kept_header *h, const void *contents,
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
	if (write_all(fd, h, sizeof(*h)) < 0 || write_all(fd, contents, size) < 0 ||
	    rename(draft, path) < 0)
		unlink(draft);
	close(fd);
}

void kept_file_write(const char *path, const char *format, const uint8_t source[static SHA256_LEN],
		     const void *contents, size_t size)
{
	struct kept_header h = { 0 };

	snprintf(h.format, sizeof(h.format), "%s", format);
	memcpy(h.source, source, SHA256_LEN);
	hash_contents(&h, contents, size, h.sum);
	kept_file_publish(path, &h, contents, size);
}

int kept_file_verify(int fd, struct error **err)
{
	struct kept_header h;
	size_t size;
	char *contents = read_contents(fd, &h, &size);

	free(contents);
	return contents ? 0 : error_set(err, ERR_TRUST, "its checksum is wrong");
}
