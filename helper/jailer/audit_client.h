/* The jailer's side of the audit process. */
#pragma once

#include "helper/audit/record.h"
#include "lib/error.h"

/* Has RECORD written. -1 with ERR_HOST if it is not and has to be, or with ERR_SYSTEM if the audit
 * process has exited. */
int audit_ask(int socket, const struct record *record, struct error **err);

/* ERR_SYSTEM: it was killed, and the jailer is about to be. */
int audit_lost(struct error **err);
