/* Looks up hosts for the fetch process, which has no resolver. */
#pragma once

#include <stdint.h>

#include "frontend/archive/fetch_message.h"
#include "lib/error.h"

/* Fills ANSWER, a FETCH_ADDRESSES message; its code is ERR_NETWORK, with the reason, if HOST is
 * unknown. The lookup runs in its own process, so that signals are handled at once. Returns 0, or
 * -1 with ERR set: ERR_INTERRUPTED after a signal (interrupt.h). */
int host_lookup(const char *host, uint16_t port, struct fetch_message *answer, struct error **err);
