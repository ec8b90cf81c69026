/* What a rule says about what a rootfs may be made of, as a hash: whatever was made under one rule
 * may be used under another rule with the same hash. Both halves bind snapshots to it. */
#pragma once

#include "lib/hex.h"
#include "policy/policy.h"

/* HEX becomes the hash, as text. */
void policy_rule_content(const struct policy_rule *rule, char hex[static 2 * SHA256_LEN + 1]);
