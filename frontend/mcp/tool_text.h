/* The text of a call's result, for people. */
#pragma once

#include "frontend/mcp/tool_result.h"

/* Composes the text. The caller frees it. NULL if out of memory. */
char *tool_text(const struct call_ending *e);
