/* `rootlet mcp`: a server of the Model Context Protocol on standard input and output: one process,
 * one poll loop. */
#pragma once

/* Serves until the input ends. COMMAND is for messages. Returns the exit status. */
int mcp_serve(const char *command);
