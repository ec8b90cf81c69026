/* Refuses a release file that is older than one that was accepted before (lib/release_memory.h). In
 * user and root mode, the memory is the caller's own, and keyed by the mirror that the front end
 * names. In installed mode it is root's, one per caller, and keyed by the signed Origin: a front
 * end that was taken over could name another mirror each time. */
#pragma once

#include "helper/starter/session.h"
#include "proto/note.h"
#include "proto/task.h"

/* What the front end says about a release file. */
struct release_claim {
	const char *suite, *pocket, *mirror;
	bool older; /* accept it even if it is older */
};

/* NOTE is what the verifier found in the file. Returns 0 if the file is accepted, 1 if it is older
 * and CLAIM accepts that, or -1 with ERR set: ERR_TRUST, with number ESTALE, if it is older and
 * CLAIM does not accept that; ERR_HOST if an installed helper has no memory, or if the memory is
 * damaged. If a caller has no memory, any file is accepted. */
int rollback_check(const struct rollback *r, const struct release_claim *claim,
		   const struct note *note, struct error **err);
