/* The caller, the rights with which they are served, and the policy. All of this is decided once,
 * from what the kernel and root's files say, before anything is read from the channel. */
#pragma once

#include "policy/grant.h"
#include "proto/release_dates.h"

enum mode {
	MODE_USER,	/* no rights of its own: newuidmap writes the maps */
	MODE_INSTALLED, /* with cap_setuid and cap_setgid from its file, until the maps are written
			 */
	MODE_ROOT,
};

struct session {
	enum mode mode;
	struct policy *policy;
	struct grant grant;
	struct rollback rollback;
	pid_t front_end;		   /* the process that created the channel */
	uint32_t login_uid, audit_session; /* audit(8); UINT32_MAX: none */
};

/* ERR_HOST or ERR_REFUSED if the host or its policy forbids the session. CHANNEL leads to the front
 * end. In installed mode, ISOLATE is for the process that asks name services. */
int session_open(struct session *s, int channel, accounts_isolate *isolate, struct error **err);

/* ERR_HOST if the caller has set limits that would cut off the audit log (file size, CPU time) or
 * the work (descriptors). Must be called when the caller can no longer set any: prlimit(2). */
int session_check_limits(const struct session *s, struct error **err);

/* "user", "installed", "root" */
const char *mode_name(enum mode mode);
