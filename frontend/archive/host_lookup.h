/* The addresses of a host, for the fetch process, which has no resolver. */
#pragma once

#include <stdint.h>

#include "frontend/archive/fetch_message.h"
#include "lib/error.h"

/* Fills ANSWER, a FETCH_ADDRESSES: its code is ERR_NETWORK, with the reason, if HOST is unknown.
 * The lookup runs in a process of its own, so that a signal does not have to wait for it. Returns
 * 0, or -1 with ERR set: ERR_INTERRUPTED after a signal (interrupt.h). */
int host_lookup(const char *host, uint16_t port, struct fetch_message *answer, struct error **err);
