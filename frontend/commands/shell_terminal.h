/* The terminal of a command in a rootfs. The command never gets the user's own terminal, with which
 * it could read later input or inject some. For each standard stream that is a terminal, the
 * command gets a pseudo-terminal instead, and the code here relays between the two. */
#pragma once

#include <stdbool.h>

#include "frontend/client/client.h"

struct terminal;

/* Sets STREAMS (standard input, output and error for the command; valid until terminal_free) and
 * puts the user's terminal into raw mode. CONTROLLING: whether standard input is a terminal. */
int terminal_new(struct terminal **out, int streams[static 3], bool *controlling,
		 struct error **err);

/* Relays until H sends the Result. Returns what helper_call() does. */
int terminal_relay(struct terminal *t, struct helper *h, struct answer *answer, struct error **err);

/* Restores the user's terminal. */
void terminal_free(struct terminal **t);
