/* The journal's entries from an installed rootlet-helper. Any user can send the journal an entry
 * with any field, except those that journald adds itself (they begin with "_"), and any user can
 * run a program under any name in a mount namespace of their own. So the sender's uid decides: an
 * installed helper sends as the last id of its caller's range, which nobody else can have. Source:
 * systemd.journal-fields(7). */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/error.h"
#include "policy/policy.h"

/* The helper's entries, oldest first, as journalctl prints them in JSON; a new reference. FORGED
 * counts the entries that claim to be the helper's and are not. NULL with ERR_HOST if journalctl
 * fails. */
json_t *audit_journal_read(const struct policy *policy, size_t *forged, struct error **err);
