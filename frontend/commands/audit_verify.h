/* Verifies an audit log: that its records form one chain of hashes, that every request has a
 * result, and, with the journal, that both have the same records. Format: SECURITY.md, "The audit
 * log". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"
#include "policy/policy.h"

struct audit_question {
	char **paths;	  /* NULL-terminated, oldest first; may be empty with JOURNAL */
	const char *last; /* a hash that must be in the log; NULL: none */
	bool journal, json;
	const struct policy *policy; /* of this host; needed for JOURNAL */
};

/* Prints what it finds. Returns the exit status, or -1 with ERR set if a file or the journal cannot
 * be read. */
int audit_verify(const struct audit_question *question, struct error **err);
