/* Runs of fstests and their files as resources, in pages of at most 2 kB:
 *
 *   rootlet://runs                          all runs, the newest first
 *   rootlet://runs/RUN                      the files of a run: an id, or the word last
 *   rootlet://runs/RUN/PATH?offset=N        a file, or the list of a directory, from there */
#pragma once

#include "frontend/mcp/rpc.h"

json_t *resources_publish(void);
json_t *resource_templates_publish(void);

/* The tool that reads pages; not published. */
json_t *resources_tool(void);

/* Answers R with a page of URI, now or later. */
void resource_read(struct mcp_server *s, struct rpc_request *r, const char *uri);
