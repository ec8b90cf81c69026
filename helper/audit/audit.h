/* The audit log. Every request has two records, one before it is done (intent) and one after it
 * (result), or one that says that it was refused. The audit process writes them. It outlives the
 * jailer, so that a killed request shows, and it reads nothing but struct record. Where the records
 * go: audit_backends.h. */
#pragma once

#include <sys/types.h>

#include "helper/rights/session.h"
#include "lib/hex.h"

enum record_kind { RECORD_INTENT = 1, RECORD_RESULT, RECORD_REFUSAL };

/* What the jailer tells about one request. Texts are of any content. */
struct record {
	uint32_t kind;
	uint32_t code;	/* enum error_code, of a result or refusal */
	int32_t status; /* exit status, of a result */
	uint64_t milliseconds;
	char request[24], arguments[1024], rule[128], text[256];
};

/* Where a record stands in its chain. */
struct place {
	uint64_t number; /* from 1 on */
	char prev[2 * SHA256_LEN + 1], hash[2 * SHA256_LEN + 1];
};

enum audit_backend { AUDIT_FILE, AUDIT_JOURNAL, AUDIT_SYSLOG, AUDIT_BACKENDS };

struct audit {
	const struct session *session;
	bool required;
	int fds[AUDIT_BACKENDS]; /* -1: not written to */
	struct place last;	 /* of what was recorded last */
	off_t end;		 /* of the file, behind that; 0: unknown */
	bool contended;		 /* the lock could not be had last time */
	struct record pending;	 /* an intent without its result; kind 0: none */
};

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

/* Receives one record, and terminates its texts. Returns false if the other end has closed, or sent
 * anything else. */
bool record_receive(int socket, struct record *record);
