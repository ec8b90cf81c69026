/* Uses of a policy other than decisions: showing it, binding snapshots to it, and freeing it in the
 * front end. */
#pragma once

#include "policy/policy.h"

/* The key's value in RULE, as it would be written in the file. The caller frees it. NULL if the key
 * is not of an [allow …] section, or if out of memory. */
char *policy_rule_value(const struct policy_rule *rule, const struct policy_key *key);

/* What RULE says about what a rootfs may be made of, as text: whatever was made under it may be
 * used under another rule with the same text. The caller frees it. NULL if out of memory. */
char *policy_rule_content(const struct policy_rule *rule);

/* *POLICY may be NULL, or what a failed policy_parse() left. It becomes NULL. */
void policy_free(struct policy **policy);
