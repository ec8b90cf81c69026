/* The audit log. Every request has two records, one before it is done (intent) and one after it
 * (result), or one that says that it was refused. The audit process writes them. It outlives the
 * jailer, so that a killed request shows, and it reads nothing but struct record. Where the records
 * go: audit_backends.h. */
#pragma once

#include "helper/audit/audit_log.h"

/* Opens what the policy names. GIVEN is the caller's own file, or -1; taken over. ERR_HOST if the
 * log is required and a backend cannot be opened. */
int audit_open(struct audit *a, const struct session *session, int given, struct error **err);

/* For a session that could not be opened: no policy says where its refusal goes. In installed mode
 * it goes to the journal, or else to syslog; in the other modes nowhere, and A has no session. */
void audit_open_to_refuse(struct audit *a, const struct session *session);

void audit_close(struct audit *a);

/* Writes one record to every backend. -1 with ERR_HOST if one of them failed. */
int audit_write(struct audit *a, const struct record *record, struct error **err);

/* Serves SOCKET until its other end has closed, then records what was left undone. */
void audit_serve(struct audit *a, int socket);
