/* `rootlet mcp`: a Model Context Protocol server on standard input and output. One process, one
 * poll loop. */
#pragma once

/* Serves until the end of the input. COMMAND is for error messages. Returns the exit status. */
int mcp_serve(const char *command);
