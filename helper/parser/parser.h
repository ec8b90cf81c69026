/* The only process that sees the front end's bytes. It unpacks requests into tasks and packs the
 * notes that come back. It holds no capability and may make only a handful of system calls. */
#pragma once

#include "lib/error.h"
#include "proto/task.h"

/* Serves CHANNEL (to the front end) and JAILER until either closes. Never returns. */
_Noreturn void parser_run(int channel, int jailer);

/* Sends a Result with ERROR (NULL: malformed) instead of an answer. */
void parser_refuse(int channel, const struct error *error);

/* Unpacks PACKET into TASK. Returns false if it is not a request, or a field does not fit. */
bool parser_translate(const unsigned char *packet, size_t size, struct task *task);
