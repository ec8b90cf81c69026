/* The only process that sees bytes of the front end: unpacks a request into a task, packs the notes
 * that come back. It holds no capability and may make a handful of system calls. */
#pragma once

#include "lib/error.h"
#include "proto/task.h"

/* Serves CHANNEL (to the front end) and JAILER until either closes. Never returns. */
_Noreturn void parser_run(int channel, int jailer);

/* Sends a Result with ERROR (NULL: malformed) in place of an answer. */
void parser_refuse(int channel, const struct error *error);

/* Unpacks PACKET into TASK; false where it is no request, or a field does not fit. */
bool parser_translate(const unsigned char *packet, size_t size, struct task *task);
