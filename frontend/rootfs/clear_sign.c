#include "frontend/rootfs/clear_sign.h"

#include <string.h>
#include <sys/mman.h>

#include "frontend/cli/child.h"
#include "lib/read_all.h"
#include "lib/write_all.h"

#define TEXT_MAX ((size_t)64 << 20)
#define NOT_FOUND 127

/* Reads FD from its start, and adds a null byte. */
static char *read_back(int fd)
{
	size_t size;

	return lseek(fd, 0, SEEK_SET) < 0 ? NULL : read_all(fd, TEXT_MAX, &size);
}

/* The last line that gpg printed says what went wrong. */
static int gpg_failed(const char *key, int status, int messages, struct error **err)
{
	_cleanup_free_ char *text = read_back(messages);
	const char *line = "";

	if (status == NOT_FOUND)
		return error_set(err, ERR_HOST,
				 "cannot sign: gpg is missing; run: apt install gpg");
	for (char *at = text, *rest = NULL; text && (at = strtok_r(at, "\n", &rest)); at = NULL)
		line = at;
	return error_set(err, ERR_INPUT,
			 "cannot sign with the key %s: %.200s; list your keys with: gpg "
			 "--list-secret-keys",
			 key, line);
}

char *clear_sign(const char *key, const char *text, struct error **err)
{
	const char *const argv[] = { "gpg",	 "--batch",
				     "--no-tty", "--local-user",
				     key,	 "--digest-algo",
				     "SHA512",	 "--clear-sign",
				     "--output", "-",
				     NULL };
	_cleanup_close_ int in = memfd_create("text", MFD_CLOEXEC);
	_cleanup_close_ int out = memfd_create("signed", MFD_CLOEXEC);
	_cleanup_close_ int messages = memfd_create("messages", MFD_CLOEXEC);
	char *file;
	int status;
	pid_t pid;

	if (in < 0 || out < 0 || messages < 0 || write_all(in, text, strlen(text)) < 0 ||
	    lseek(in, 0, SEEK_SET) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot sign");
		return NULL;
	}
	if (child_start(argv, (int[]){ in, out, messages }, &pid, err) < 0 ||
	    (status = child_wait(pid, err)) < 0)
		return NULL;
	if (status != 0) {
		gpg_failed(key, status, messages, err);
		return NULL;
	}
	file = read_back(out);
	if (!file)
		error_errno(err, ERR_SYSTEM, "cannot read what gpg signed");
	return file;
}
