#include "helper/rollback.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "helper/sinks.h"
#include "lib/release_memory.h"

static bool is_safe(int fd, uid_t owner)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && (flags & (O_ACCMODE | O_APPEND)) == O_RDWR && fstat(fd, &st) == 0 &&
	       S_ISREG(st.st_mode) && st.st_uid == owner && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* For messages: whoever reads them may have to remove it. */
static void name_memory(struct rollback *r, int given)
{
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", given);
	length = given < 0 ? -1 : readlink(link, r->path, sizeof(r->path));
	if (length > 0 && (size_t)length < sizeof(r->path))
		r->path[length] = '\0';
	else
		snprintf(r->path, sizeof(r->path), "the memory of release files");
}

void rollback_open(struct session *s, int given)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	struct rollback *r = &s->rollback;
	uid_t owner = s->grant.caller.uid;

	r->fd = given;
	r->signer = s->mode == MODE_INSTALLED;
	name_memory(r, given);
	if (r->signer) {
		closep(&given);
		snprintf(r->path, sizeof(r->path), ROLLBACK_FOLDER "/releases.%u", owner);
		r->fd = sink_open_as_root(r->path, flags);
		owner = 0;
	}
	/* What the caller gave is not for the programs that are started. */
	if (!is_safe(r->fd, owner) || fcntl(r->fd, F_SETFD, FD_CLOEXEC) < 0) {
		closep(&r->fd);
		r->fd = -1;
	}
}

int rollback_check(const struct rollback *r, const char *suite, const struct task *t,
		   const struct note *note, struct error **err)
{
	char name[2 * WORD_SIZE], key[2 * WORD_SIZE + MIRROR_MAX + 2];
	const char *pocket = t->release.pocket;
	int64_t newest;
	int result;

	snprintf(name, sizeof(name), "%s%s%s", suite, *pocket ? "-" : "", pocket);
	if (r->fd < 0 && r->signer)
		return error_set(err, ERR_HOST,
				 "cannot remember the release file of %s, so that an older one "
				 "would not be noticed: %s cannot be opened; an administrator has "
				 "to run: install-helper",
				 name, r->path);
	if (r->fd < 0)
		return 0;
	if (r->signer)
		snprintf(key, sizeof(key), "%s origin=%.*s", name, WORD_SIZE - 1,
			 note->release.origin);
	else
		snprintf(key, sizeof(key), "%s %s", name,
			 *t->release.mirror ? t->release.mirror : "-");
	result = release_memory_take(r->fd, r->path, key, note->release.date, time(NULL), &newest,
				     err);
	if (result <= 0 || t->release.older)
		return result;
	release_memory_refuse(name, note->release.date, newest, RELEASE_REMEDY, err);
	if (err && *err)
		(*err)->number = ESTALE;
	return -1;
}
