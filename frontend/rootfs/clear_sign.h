/* Signs texts with the user's own gpg. Format: RFC 4880 section 7. */
#pragma once

#include "lib/error.h"

/* TEXT, clear-signed with KEY, as gpg's --local-user takes it; the caller frees it. NULL with ERR
 * set: ERR_HOST if gpg is missing, ERR_INPUT if it cannot sign with that key. */
char *clear_sign(const char *key, const char *text, struct error **err);
