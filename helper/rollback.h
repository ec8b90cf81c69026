/* That no release file is older than one that was accepted before (lib/release_memory.h). The
 * memory is the caller's own, in user and root mode, and keyed by the mirror that the front end
 * names. In installed mode it is root's, one for each caller, and keyed by the Origin that is
 * signed: a front end that was taken over could name another mirror each time. */
#pragma once

#include "helper/session.h"
#include "helper/task.h"

#define ROLLBACK_FOLDER "/var/lib/rootlet"

/* Opens root's memory of the caller in installed mode, with root's id for the time of that call;
 * else takes over GIVEN (or -1), which must be a regular file of the caller's that is open for
 * reading and writing. One that cannot be had is no error before rollback_check(). */
void rollback_open(struct session *session, int given);

/* NOTE is what the builder found in the file of the release request T for SUITE. ERR_TRUST if it is
 * older and T does not accept that, ERR_HOST if an installed helper has no memory, or if it is
 * damaged. Without a memory of his own, a caller's file is accepted. Returns 1 if it is older, and
 * T accepts that. With ERR_TRUST for an older one, ERR's number is ESTALE. */
int rollback_check(const struct rollback *r, const char *suite, const struct task *t,
		   const struct note *note, struct error **err);
