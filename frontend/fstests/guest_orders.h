/* What frontend/guest/fstests.sh says and is told while it runs. It asks on its standard output, by
 * a random token and the rest of that line, and gets one line in answer. All else is check's output
 * and passes through.
 *
 *   TOKEN ready STATUS [more]   it is idle; STATUS is that of the last check, 0 at first. With
 *                               `more`, check will ask before it ends
 *   TOKEN more                  check has run its tests and takes others of the same section
 *
 *   list WORD…                  run check -n and save what it prints as results/rootlet.list
 *   run WORD…                   run check
 *   more TEST…                  the answer to the latter; without a test, check ends
 *   end                         power off */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/fstests/test_plan.h"

#define ORDERS_TOKEN_SIZE 32

struct guest_orders {
	char token[ORDERS_TOKEN_SIZE], question[64];
	size_t matched;	 /* bytes of the token that the output ends with */
	bool asking;	 /* the token is complete, the line is not */
	size_t length;	 /* of QUESTION */
	bool line_start; /* what passed through ended with a newline */
};

struct guest_question {
	bool more;     /* the second form above */
	int status;    /* of the last check */
	bool will_ask; /* check will ask for more */
};

/* Begins a boot with a new random token. Returns -1 if the kernel gives none. */
int orders_begin(struct guest_orders *o);

typedef void orders_output(const char *data, size_t size, void *context);
typedef void orders_asked(const struct guest_question *question, void *context);

/* Passes what is not a question to OUTPUT, and each question to ASKED, in order. */
void orders_feed(struct guest_orders *o, const char *data, size_t size, orders_output *output,
		 orders_asked *asked, void *context);

/* Writes an order of KIND with the words of BATCH (NULL: none) as one line. The caller frees it.
 * NULL if out of memory. */
char *orders_compose(const char *kind, const struct batch *batch);
