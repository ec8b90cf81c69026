/* Every request of proto/rootlet.proto, and the word under which a policy allows it. What is not in
 * this table no policy can allow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct operation_name {
	const char *request;   /* as in proto/rootlet.proto */
	const char *operation; /* NULL: needs no permission (Hello) */
};

extern const struct operation_name operation_names[];
extern const size_t operation_count;

/* The request's row, or NULL. */
const struct operation_name *operation_find(const char *request);

/* A word that a policy's "operations" may have. */
bool valid_operation(const char *word);
