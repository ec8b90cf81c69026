#include "helper/worker/verify/rollback.h"

#include <time.h>

#include "lib/release_memory.h"

int rollback_check(const struct rollback *r, const struct release_claim *claim,
		   const struct chain_pocket *found, struct error **err)
{
	char key[2 * WORD_SIZE + CHAIN_KEYRING_SIZE + MIRROR_MAX + 16];
	const char *name = found->suite;
	int used;
	int64_t newest;
	int result;

	if (!r->compare || claim->dated)
		return VERDICT_NOT_COMPARED;
	if (r->fd < 0 && r->signer)
		return error_set(err, ERR_HOST,
				 "cannot remember the release file of %s, so a later "
				 "rollback would go unnoticed: cannot open %s; ask an "
				 "administrator to run: install-helper",
				 name, r->path);
	if (r->fd < 0)
		return VERDICT_NEWEST;
	/* A repository must not take the place of the release's archive, or of another repository.
	 */
	used = snprintf(key, sizeof(key), "%s%s%s %s", name, *found->keyring ? " keyring=" : "",
			found->keyring, r->signer ? "origin=" : "");
	snprintf(key + used, sizeof(key) - (size_t)used, "%s",
		 r->signer	  ? found->origin
		 : *claim->mirror ? claim->mirror
				  : "-");
	result = release_memory_take(r->fd, r->path, key, found->date, time(NULL), &newest, err);
	if (result < 0)
		return -1;
	if (result == 0 || claim->older)
		return result == 0 ? VERDICT_NEWEST : VERDICT_OLDER;
	release_memory_refuse(name, found->date, newest, RELEASE_REMEDY, err);
	if (err && *err)
		(*err)->number = ESTALE;
	return -1;
}
