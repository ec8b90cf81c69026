#include "frontend/client/tree_digest.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>

#include "frontend/client/inspection.h"
#include "frontend/client/view.h"
#include "lib/pwrite_all.h"

static void name_digest(const char *name, char place[static NAME_MAX + 1])
{
	snprintf(place, NAME_MAX + 1, ".%s.digest", name);
}

int digest_lock(int dir, const char *name, int operation, struct error **err)
{
	char place[NAME_MAX + 1];
	_cleanup_close_ int fd = -1;

	name_digest(name, place);
	fd = openat(dir, place, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", place);
	if (flock(fd, operation) == 0)
		return steal_fd(&fd);
	if (errno == EWOULDBLOCK)
		return error_set(err, ERR_BUSY, "%s is in use", name);
	return error_errno(err, ERR_INTERRUPTED, "cannot lock %s", place);
}

static int tree_digest_take(struct helper *h, int dir, const char *name,
			    char hex[static 2 * SHA256_LEN + 1], struct error **err)
{
	_cleanup_close_ int tree = -1;
	uint8_t sum[SHA256_LEN];

	if (view_open_at(h, dir, name, &tree, err) < 0 || inspect_digest(h, tree, sum, err) < 0)
		return -1;
	sha256_to_hex(sum, hex);
	return 0;
}

int digest_keep(struct helper *h, int lock, int dir, const char *name, struct error **err)
{
	char hex[2 * SHA256_LEN + 1];

	if (tree_digest_take(h, dir, name, hex, err) < 0)
		return -1;
	if (pwrite_all(lock, hex, 2 * SHA256_LEN, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot save the digest of %s", name);
	return 0;
}

int digest_check(struct helper *h, int lock, int dir, const char *name, struct error **err)
{
	char was[2 * SHA256_LEN + 1] = "", is[2 * SHA256_LEN + 1];

	if (pread(lock, was, 2 * SHA256_LEN, 0) != 2 * SHA256_LEN)
		return error_set(err, ERR_TRUST, "its saved digest is missing");
	if (tree_digest_take(h, dir, name, is, err) < 0)
		return -1;
	return strcmp(was, is) == 0 ? 0 : error_set(err, ERR_TRUST, "its digest differs");
}

void digest_remove(int dir, const char *name)
{
	char place[NAME_MAX + 1];

	name_digest(name, place);
	unlinkat(dir, place, 0);
}
