/* The terminal of a command in a rootfs. The command never gets the user's own: whoever holds that
 * could read what is typed later, or type into it. Where one of our standard streams is a terminal,
 * the command gets a pseudo-terminal in its place, and this relays between the two. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"

struct terminal;

/* Makes STREAMS (standard input, output and error for the command; valid until terminal_free) and
 * puts the user's terminal into raw mode. CONTROLLING: whether standard input is a terminal. */
int terminal_new(struct terminal **out, int streams[static 3], bool *controlling,
		 struct error **err);

/* Reads replies of H until the Result, and relays meanwhile. As helper_call() after the request. */
int terminal_relay(struct terminal *t, struct helper *h, struct answer *answer, struct error **err);

/* Gives the user's terminal back as it was. */
void terminal_free(struct terminal **t);
