/* Looks into the lists of calls: for the compiler of the filters, and for `rootlet policy seccomp`.
 */
#pragma once

#include "policy/privilege_sets.h"

/* The call NAME is on one of the set's lists. */
bool privileges_list(const struct privileges *p, const char *name);

/* RULE is the first of the set's about its argument: those of its other lists add to it. */
bool privileges_is_first(const struct privileges *p, const struct argument_rule *rule);

/* The set's rule of list I about the argument of RULE, or NULL. */
const struct argument_rule *privileges_rule(const struct privileges *p, size_t i,
					    const struct argument_rule *rule);

/* A call that writes to the disk at once: contained sets take it and do nothing. */
bool privileges_sync_call(const char *name);
