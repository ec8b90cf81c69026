#include "helper/rollback.h"

#include <time.h>

#include "lib/release_memory.h"

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
	if (result > 0 && !t->release.older)
		return release_memory_refuse(name, note->release.date, newest, RELEASE_REMEDY, err);
	return result < 0 ? -1 : 0;
}
