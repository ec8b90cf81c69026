/* The tools that `rootlet mcp` offers. Each is an object in frontend/mcp/tools.json: what clients
 * get to see of it, and how its arguments become a command line. */
#pragma once

#include <jansson.h>

#include "lib/error.h"

/* Loads all tools of the file, with their output schemas. NULL if out of memory. */
json_t *tools_load(void);

/* The answer to tools/list. Returns a new reference. */
json_t *tools_publish(const json_t *tools);

/* Returns the tool called NAME, which belongs to TOOLS, or NULL. */
json_t *tool_find(const json_t *tools, const char *name);

/* Returns 0, or -1 with ERR_INPUT if ARGUMENTS do not match the tool's schema. */
int tool_check(const json_t *tool, json_t *arguments, struct error **err);

/* Sets *WORDS to the command line of a call, NULL-terminated, starting with "rootlet". */
int tool_words(const json_t *tool, const json_t *arguments, char ***words, struct error **err);
void tool_words_free(char ***words);
