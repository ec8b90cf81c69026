#include "helper/jailer/rollback.h"

#include <time.h>

#include "lib/release_memory.h"
#include "proto/note.h"

int rollback_check(const struct rollback *r, const struct release_claim *claim,
		   const struct note *note, struct error **err)
{
	char name[2 * WORD_SIZE], key[2 * WORD_SIZE + MIRROR_MAX + 2];
	const char *pocket = claim->pocket;
	int64_t newest;
	int result;

	snprintf(name, sizeof(name), "%s%s%s", claim->suite, *pocket ? "-" : "", pocket);
	if (r->fd < 0 && r->signer)
		return error_set(err, ERR_HOST,
				 "cannot remember the release file of %s, so a later "
				 "rollback would go unnoticed: cannot open %s; ask an "
				 "administrator to run: install-helper",
				 name, r->path);
	if (r->fd < 0)
		return 0;
	if (r->signer)
		snprintf(key, sizeof(key), "%s origin=%.*s", name, WORD_SIZE - 1,
			 note->release.origin);
	else
		snprintf(key, sizeof(key), "%s %s", name, *claim->mirror ? claim->mirror : "-");
	result = release_memory_take(r->fd, r->path, key, note->release.date, time(NULL), &newest,
				     err);
	if (result <= 0 || claim->older)
		return result;
	release_memory_refuse(name, note->release.date, newest, RELEASE_REMEDY, err);
	if (err && *err)
		(*err)->number = ESTALE;
	return -1;
}
