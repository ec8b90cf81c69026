/* What is done with a policy besides deciding by it: it is shown, snapshots are bound to it, and
 * the front end frees it. */
#pragma once

#include "policy/policy.h"

/* The key's value in RULE as it would stand in the file; the caller's to free. NULL for a key of
 * another section than [allow …], or where memory is short. */
char *policy_rule_value(const struct policy_rule *rule, const struct policy_key *key);

/* What RULE says of what a rootfs may be made of, as text: what was made under it may be used under
 * another one that has the same. The caller's to free; NULL where memory is short. */
char *policy_rule_content(const struct policy_rule *rule);

/* *POLICY may be NULL, or what a failed policy_parse() left; it becomes NULL. */
void policy_free(struct policy **policy);
