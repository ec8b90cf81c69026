/* The system calls of each process: policy/seccomp/NAME.list. They are compiled into filters at
 * build time, so that only that compiler and `rootlet policy seccomp` use them. */
#pragma once

#include <stddef.h>

#include "policy/privilege_sets.h"

struct argument_value {
	const char *name; /* NULL ends an array */
	uint32_t value;
};

/* The values that an argument may have. The kernel looks only at the lower 32 bits of these
 * arguments. */
struct argument_rule {
	const char *call;  /* NULL ends an array */
	unsigned argument; /* starts at 0 */
	bool bits;	   /* only these bits; else one of these values */
	const struct argument_value *values;
};

struct call_list {
	const char *const *calls; /* NULL-terminated */
	const struct argument_rule *arguments;
};

/* The lists of a set, whose union it may call; NULL after the last. */
const struct call_list *const *privileges_lists(const struct privileges *p);

/* Whether the call NAME is on one of the set's lists. */
bool privileges_list(const struct privileges *p, const char *name);

/* Whether RULE is the set's first rule for its argument; those in its other lists add to it. */
bool privileges_is_first(const struct privileges *p, const struct argument_rule *rule);

/* LIST's rule for the argument of RULE, or NULL. */
const struct argument_rule *privileges_rule(const struct call_list *list,
					    const struct argument_rule *rule);

/* Whether the call writes to disk at once. In contained sets such calls succeed and do nothing. */
bool privileges_sync_call(const char *name);
