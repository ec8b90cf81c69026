/* Every request of proto/rootlet.proto, and the word by which a policy allows it. A policy cannot
 * allow anything that is not in this table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct operation_name {
	const char *request;   /* as in proto/rootlet.proto */
	const char *operation; /* NULL: needs no permission (Hello) */
};

extern const struct operation_name operation_names[];
extern const size_t operation_count;

/* Whether WORD may occur in a policy's "operations". */
bool valid_operation(const char *word);
