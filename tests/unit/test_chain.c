/* worker/chain.c: the privileged half's verdict on whole signed files. It works on fixed paths of
 * its jail, so this has a /tmp of its own. */
#include "worker/chain.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/write_all.h"
#include "signed_files.h"

static int memory_file(const char *data, size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	return fd >= 0 && write_all(fd, data, size) == 0 ? fd : -1;
}

static bool place_keyring(const char *data, size_t size)
{
	int fd = open("/tmp/keyring", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool good = fd >= 0 && write_all(fd, data, size) == 0;

	close(fd);
	return good;
}

static void check_file(const struct signed_file *row, const char *data, size_t size)
{
	static struct chain chain;
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(data, size);
	int result;

	memset(&chain, 0, sizeof(chain));
	snprintf(chain.suite, sizeof(chain.suite), SIGNED_SUITE);
	result = chain_release(&chain, "", fd, &err);
	if (row->wrong)
		tap_check(result == -1 && err && err->code == ERR_TRUST &&
				  strstr(err->message, row->wrong) && chain.pocket_count == 0,
			  "refused: %s", row->file);
	else
		tap_check(result == 0 && chain.pocket_count == 1 &&
				  strncmp(chain.pockets[0].release, SIGNED_TEXT,
					  strlen(SIGNED_TEXT)) == 0 &&
				  !strstr(chain.pockets[0].release, "PGP"),
			  "accepted: %s", row->file);
	if (err)
		printf("# %s\n", err->message);
	free(chain.pockets[0].release);
}

static void check_pockets(const char *data, size_t size)
{
	static struct chain chain = { .suite = SIGNED_SUITE, .pocket_count = CHAIN_POCKETS_MAX };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int fd = memory_file(data, size);

	tap_check(chain_release(&chain, "", fd, &err) == -1 && err && err->code == ERR_REFUSED &&
			  chain.pocket_count == CHAIN_POCKETS_MAX,
		  "one more pocket than there is room for: refused");
}

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

/* True with a /tmp that is this process's alone, as root or not. */
static bool enter_own_tmp(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "%u %u 1", getuid(), getuid());
	snprintf(gids, sizeof(gids), "%u %u 1", getgid(), getgid());
	if (unshare(CLONE_NEWNS) < 0 &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	     !write_text("/proc/self/setgroups", "deny") ||
	     !write_text("/proc/self/uid_map", uids) || !write_text("/proc/self/gid_map", gids)))
		return false;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/tmp", "tmpfs", 0, "mode=1777") == 0;
}

int main(void)
{
	char *files[SIGNED_FILES], *keyring;
	size_t sizes[SIGNED_FILES], keyring_size;

	/* First: what is recorded may be in /tmp. */
	for (size_t i = 0; i < SIGNED_FILES; i++)
		files[i] = signed_read(signed_files[i].file, &sizes[i]);
	keyring = signed_read("keyring.gpg", &keyring_size);
	if (!enter_own_tmp())
		tap_check(false, "a /tmp of its own: %s", strerror(errno));
	else if (!keyring || !place_keyring(keyring, keyring_size))
		tap_check(false, "the keyring is in place");
	else
		for (size_t i = 0; i < SIGNED_FILES; i++)
			if (files[i])
				check_file(&signed_files[i], files[i], sizes[i]);
	if (files[0])
		check_pockets(files[0], sizes[0]);
	for (size_t i = 0; i < SIGNED_FILES; i++)
		free(files[i]);
	free(keyring);
	return tap_done();
}
