/* The tools that `rootlet mcp` offers. Each is an object in frontend/mcp/tools.json: what the
 * client is told of it, and the command line that its arguments become. */
#pragma once

#include <jansson.h>

#include "lib/error.h"

/* All of them, as they are in the file, with their output schemas; NULL where memory is short. */
json_t *tools_load(void);

/* What tools/list answers. A new reference. */
json_t *tools_publish(const json_t *tools);

/* NULL where there is none of that name; belongs to TOOLS. */
json_t *tool_find(const json_t *tools, const char *name);

/* ERR_INPUT where ARGUMENTS are not what the tool takes. */
int tool_check(const json_t *tool, json_t *arguments, struct error **err);

/* The command line for a call, NULL-terminated, beginning with "rootlet". */
int tool_words(const json_t *tool, const json_t *arguments, char ***words, struct error **err);
void tool_words_free(char ***words);
