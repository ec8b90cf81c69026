/* The audit log. Each request gets two records, an intent before it runs and a result after it, or
 * a single refusal. The audit process writes them. It outlives the jailer, so that a killed request
 * still shows, and it reads nothing but struct record. The backends are opened before the helper
 * gives anything up, and only written to after that: a file (audit_file.h), the journal by
 * systemd's native protocol, and syslog by RFC 3164 as /dev/log takes it. */
#pragma once

#include "helper/audit/audit_log.h"

/* Receives one record and terminates its texts. Returns false if the peer closed the socket or sent
 * anything else. */
bool record_receive(int socket, struct record *record);

/* Opens the backends that the policy names. GIVEN is the caller's own log, or -1; it is closed or
 * owned by A afterwards. ERR_HOST if the log is required and a backend cannot be opened. */
int audit_open(struct audit *a, const struct session *session, int given, struct error **err);

/* For a session that could not be opened, so that no policy says where to record its refusal. In
 * installed mode, the refusal goes to the journal, or to syslog if there is no journal. In the
 * other modes it is not recorded, and A has no session. */
void audit_open_to_refuse(struct audit *a, const struct session *session);

/* Connects a datagram socket to PATH. Returns it, or -1 with errno set. */
int audit_connect(const char *path);

void audit_close(struct audit *a);

/* Writes one record to every backend. -1 with ERR_HOST if one of them failed. */
int audit_write(struct audit *a, const struct record *record, struct error **err);

/* Serves SOCKET until the peer closes it. Records an unfinished request as interrupted. */
void audit_serve(struct audit *a, int socket);
