/* Shortens results for clients that read all of them; the whole is in the command's own output. */
#pragma once

#include <jansson.h>

/* If TOOL is to be brief, cuts the lists of RESULT until it is short: "brief" is true, or a number
 * of bytes. RESULT->left_out says how many items of which list are missing. */
void brief_make(const json_t *tool, json_t *result);
