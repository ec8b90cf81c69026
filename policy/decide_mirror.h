/* What only the front end decides: by the name of a request, and where packages come from. */
#pragma once

#include "policy/decide.h"

/* Every request of proto/rootlet.proto, and the word by which a policy allows it. A policy cannot
 * allow anything that is not in this table. */
struct operation_name {
	const char *request;   /* as in proto/rootlet.proto */
	const char *operation; /* NULL: needs no permission (Hello) */
};

extern const struct operation_name operation_names[];
extern const size_t operation_count;

/* The request's row, or NULL. */
const struct operation_name *operation_find(const char *request);

/* policy_decide() with the word of QUESTION's request. A policy cannot allow unknown requests. */
void policy_decide_request(const struct grant *grant, const struct question *question,
			   struct decision *decision);

void policy_decide_mirror(const struct grant *grant, const char *url, struct decision *decision);
