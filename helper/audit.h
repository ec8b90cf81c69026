/* The record of every request: before it is done (intent) and after it (result), or that it was
 * refused. It is kept by a process of its own, which outlives the one that does the work, so that a
 * killed request shows, and which nothing that came from outside can reach but a struct record.
 * A record is a line of JSON. It ends with "hash", the SHA-256 of all of the line before that key,
 * and "prev" is the hash of the record before it. Formats: systemd's native journal protocol,
 * syslog(3). */
#pragma once

#include "helper/session.h"
#include "proto/validate.h"

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
	uint64_t number;
	char prev[2 * SHA256_LEN + 1], hash[2 * SHA256_LEN + 1];
};

struct audit {
	const struct session *session;
	bool required;
	int file, journal, syslog; /* -1: not a sink */
	struct place last;	   /* of what was recorded last */
	off_t end;		   /* of the file, behind that; 0: unknown */
	bool contended;		   /* the lock could not be had last time */
	struct record pending;	   /* an intent without its result; kind 0: none */
};

/* Opens what the policy names. GIVEN is the caller's own file, or -1; taken over. ERR_HOST where a
 * sink that is required cannot be had. */
int audit_open(struct audit *a, const struct session *session, int given, struct error **err);

/* For a session that could not be opened, so that no policy says where refusals go: in installed
 * mode to the journal, or else to syslog; in others nowhere, and A has no session. */
void audit_open_to_refuse(struct audit *a, const struct session *session);

/* Writes one record to every sink. -1 with ERR_HOST where one of them failed. */
int audit_write(struct audit *a, const struct record *record, struct error **err);

/* Serves SOCKET until its other end has closed, then records what was left undone. */
void audit_serve(struct audit *a, int socket);

/* The jailer's side. -1 with ERR_HOST if it is not recorded and has to be, or with ERR_SYSTEM if
 * nobody is at the other end. */
int audit_ask(int socket, const struct record *record, struct error **err);
