/* The state of the audit log, and a record on its way into it. */
#pragma once

#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "helper/starter/session.h"
#include "lib/hex.h"

enum record_kind { RECORD_INTENT = 1, RECORD_RESULT, RECORD_REFUSAL };

/* What the jailer reports about a request. The texts may contain anything. */
struct record {
	uint32_t kind;
	uint32_t code;	/* enum error_code, of a result or refusal */
	int32_t status; /* exit status, of a result */
	uint64_t milliseconds;
	char request[24], arguments[1024], rule[128], text[256];
};

/* A record's place in its chain. */
struct chain_place {
	uint64_t number; /* starts at 1 */
	char prev[2 * SHA256_LEN + 1], hash[2 * SHA256_LEN + 1];
};

enum audit_backend { AUDIT_FILE, AUDIT_JOURNAL, AUDIT_SYSLOG, AUDIT_BACKENDS };

struct audit {
	const struct session *session;
	bool required;
	int fds[AUDIT_BACKENDS]; /* -1: not written to */
	struct chain_place last; /* of the last record */
	off_t end;		 /* of the file, after the last record; 0: unknown */
	bool contended;		 /* the last attempt to lock the file failed */
};

/* A record on its way to the backends. The file assigns the place, and the other backends record it
 * as well, so that they still name records that were cut off the end of the file. */
struct audit_entry {
	const struct session *session;
	const struct record *record;
	struct timespec time;
	struct chain_place place; /* number 0: writing it to the file failed */
	bool unlocked;		  /* it was written without the file's lock */
};

/* The place after A's last record. */
static inline void audit_follow(const struct audit *a, struct audit_entry *e)
{
	e->place.number = a->last.number + 1;
	memcpy(e->place.prev, a->last.hash, sizeof(e->place.prev));
}
