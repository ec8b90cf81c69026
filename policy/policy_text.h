/* What only the front end does with a policy: showing and freeing it. */
#pragma once

#include "policy/policy.h"

/* The key's value in RULE, as it would be written in the file. The caller frees it. NULL if the key
 * is not of an [allow …] section, or if out of memory. */
char *policy_rule_value(const struct policy_rule *rule, const struct policy_key *key);

/* *POLICY may be NULL, or what a failed policy_parse() left. It becomes NULL. */
void policy_free(struct policy **policy);
