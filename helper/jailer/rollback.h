/* That no release file is older than one that was accepted before (lib/release_memory.h). The
 * memory is the caller's own, in user and root mode, and keyed by the mirror that the front end
 * names. In installed mode it is root's, one for each caller, and keyed by the Origin that is
 * signed: a front end that was taken over could name another mirror each time. */
#pragma once

#include "helper/starter/session.h"
#include "proto/note.h"
#include "proto/task.h"

/* What the front end says of a release file. */
struct release_claim {
	const char *suite, *pocket, *mirror;
	bool older; /* accept that */
};

/* NOTE is what the verifier found in the file. ERR_TRUST if it
 * is older and CLAIM does not accept that, ERR_HOST if an installed helper has no memory, or if it
 * is damaged. A caller who has no memory gets any file accepted. Returns 1 if it is older, and
 * CLAIM accepts that. With ERR_TRUST for an older one, ERR's number is ESTALE. */
int rollback_check(const struct rollback *r, const struct release_claim *claim,
		   const struct note *note, struct error **err);
