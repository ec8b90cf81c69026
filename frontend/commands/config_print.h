/* What `rootlet config` prints. */
#pragma once

#include <stdbool.h>

#include "frontend/commands/option_table.h"

/* Prints the defaults of all COMMANDS. Returns the exit status. */
int config_print(const struct command *const *commands, size_t count, bool json);
