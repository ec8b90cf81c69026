/* The jailer's interface to the audit process. */
#pragma once

#include "helper/audit/audit_log.h"
#include "lib/error.h"

/* Has RECORD written. -1 with ERR_HOST if it was not written and the policy requires it, or with
 * ERR_SYSTEM if the audit process has exited. */
int audit_ask(int socket, const struct record *record, struct error **err);

/* Sets ERR_SYSTEM: the audit process was killed, and the jailer will be, too. */
int audit_lost(struct error **err);
