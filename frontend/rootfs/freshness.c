#include "frontend/rootfs/freshness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/paths.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/read_all.h"
#include "lib/write_all.h"

#define FOLDER "upgrades/"
#define FORMAT                                                                                     \
	"rootlet-upgrades 1 %" PRId64 " %" PRId64 " %" PRId64 "\n" /* created, all, security */
#define TEXT_SIZE 128
#define WAIT_MS 200

struct freshness {
	int64_t created, all, security;
};

/* The file is named after the rootfs's path. */
static char *freshness_path(const char *parent, const char *base, struct error **err)
{
	char relative[sizeof(FOLDER) + 2 * SHA256_LEN] = FOLDER;
	_cleanup_free_ char *folder = realpath(parent, NULL);
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, strlen(folder ? folder : parent),
		      (const uint8_t *)(folder ? folder : parent));
	sha256_update(&hash, 1, (const uint8_t *)"/");
	sha256_update(&hash, strlen(base), (const uint8_t *)base);
	hash_end(&hash, sum);
	sha256_to_hex(sum, relative + strlen(FOLDER));
	return paths_state(relative, err);
}

static int freshness_open(const char *parent, const char *base, struct error **err)
{
	_cleanup_free_ char *path = freshness_path(parent, base, err);
	int fd;

	if (!path)
		return -1;
	if (folder_make_above(path) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot create the directory of %s", path);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return fd < 0 ? error_errno(err, ERR_SYSTEM, "cannot open %s", path) : fd;
}

/* What the file says about the rootfs created at CREATED. A damaged file says nothing. */
static struct freshness freshness_load(int fd, int64_t created)
{
	struct freshness f = { 0 };
	size_t size;
	_cleanup_free_ char *text = fd < 0 ? NULL : read_all(fd, TEXT_SIZE, &size);

	if (!text || sscanf(text, FORMAT, &f.created, &f.all, &f.security) != 3 ||
	    f.created != created)
		return (struct freshness){ .created = created };
	return f;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t freshness_read(const char *parent, const char *base, int64_t created, bool security)
{
	_cleanup_free_ char *path = freshness_path(parent, base, NULL);
	_cleanup_close_ int fd =
		path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	struct freshness f = freshness_load(fd, created);

	return later(created, security ? later(f.all, f.security) : f.all);
}

int freshness_write(const char *parent, const char *base, int64_t created, bool security,
		    struct error **err)
{
	_cleanup_close_ int fd = freshness_open(parent, base, err);
	struct freshness f = freshness_load(fd, created);
	char text[TEXT_SIZE];
	int length;

	if (fd < 0)
		return -1;
	f.security = time(NULL);
	if (!security)
		f.all = f.security;
	length = snprintf(text, sizeof(text), FORMAT, created, f.all, f.security);
	if (ftruncate(fd, 0) < 0 || pwrite_all(fd, text, (size_t)length, 0) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot record the upgrade of %s/%s", parent,
				   base);
	return 0;
}

void freshness_forget(const char *parent, const char *base)
{
	_cleanup_free_ char *path = freshness_path(parent, base, NULL);

	if (path)
		unlink(path);
}

int freshness_lock(const char *parent, const char *base, struct progress *progress,
		   struct error **err)
{
	_cleanup_close_ int fd = freshness_open(parent, base, err);
	struct pollfd interrupt = { .fd = interrupt_fd(), .events = POLLIN };
	bool told = false;

	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, ERR_SYSTEM, "cannot lock the rootfs %s", base);
		if (!told)
			progress_note(progress,
				      "another run is upgrading the rootfs %s: waiting for it",
				      base);
		told = true;
		poll(&interrupt, 1, WAIT_MS);
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "interrupted");
	}
	return steal_fd(&fd);
}

void freshness_unlock(int *fd)
{
	/* Not only by closing it: the fetch process, which has it too, may outlive us for a moment.
	 */
	if (*fd >= 0)
		flock(*fd, LOCK_UN);
	closep(fd);
}
