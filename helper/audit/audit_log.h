/* The state of the audit log, and a record on its way into it. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "helper/audit/record.h"
#include "helper/starter/session.h"
#include "lib/hex.h"

/* Where a record stands in its chain. */
struct chain_place {
	uint64_t number; /* from 1 on */
	char prev[2 * SHA256_LEN + 1], hash[2 * SHA256_LEN + 1];
};

enum audit_backend { AUDIT_FILE, AUDIT_JOURNAL, AUDIT_SYSLOG, AUDIT_BACKENDS };

struct audit {
	const struct session *session;
	bool required;
	int fds[AUDIT_BACKENDS]; /* -1: not written to */
	struct chain_place last; /* of what was recorded last */
	off_t end;		 /* of the file, behind that; 0: unknown */
	bool contended;		 /* the lock could not be had last time */
	struct record pending;	 /* an intent without its result; kind 0: none */
};

/* A record on its way to the backends. The file gives it its place; the others write that, too:
 * what is cut off from the end of the file is still named there. */
struct audit_entry {
	const struct session *session;
	const struct record *record;
	struct timespec time;
	struct chain_place place; /* number 0: it is in no file that there should be */
	bool unlocked;		  /* it is written without the lock of the file */
};
