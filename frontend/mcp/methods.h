/* The methods of the Model Context Protocol. */
#pragma once

#include "frontend/mcp/rpc.h"

/* Handles one line of input. NULL: it was too long. */
void methods_take_line(struct mcp_server *s, const char *line, size_t length);
