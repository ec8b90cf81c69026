/* The system calls of each process: policy/seccomp/NAME.list. They are compiled into filters when
 * rootlet is built, so only that compiler and `rootlet policy seccomp` look at them. */
#pragma once

#include <stddef.h>

#include "policy/privilege_sets.h"

struct argument_value {
	const char *name; /* NULL ends an array */
	uint32_t value;
};

/* What a call may be told: the kernel looks at the lower 32 bits of these arguments only. */
struct argument_rule {
	const char *call;  /* NULL ends an array */
	unsigned argument; /* from 0 on */
	bool bits;	   /* none but these bits; else one of these values */
	const struct argument_value *values;
};

struct call_list {
	const char *const *calls; /* NULL-terminated */
	const struct argument_rule *arguments;
};

/* The set's lists: what it may call is their union. NULL after the last. */
const struct call_list *const *privileges_lists(const struct privileges *p);

/* The call NAME is on one of the set's lists. */
bool privileges_list(const struct privileges *p, const char *name);

/* RULE is the first of the set's about its argument: those of its other lists add to it. */
bool privileges_is_first(const struct privileges *p, const struct argument_rule *rule);

/* The rule of LIST about the argument of RULE, or NULL. */
const struct argument_rule *privileges_rule(const struct call_list *list,
					    const struct argument_rule *rule);

/* A call that writes to the disk at once: contained sets take it and do nothing. */
bool privileges_sync_call(const char *name);
