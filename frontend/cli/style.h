/* How text looks: colours on a terminal, and plain ASCII if the locale is not UTF-8. Depends on
 * --color and the environment. */
#pragma once

#include <stdbool.h>

#include "lib/cleanup.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_WARNING, STYLE_BAD, STYLE_HEADING };

/* WHEN is "auto", "always" or "never"; returns false if it is not. The default is auto: on a
 * terminal that is not dumb, unless $NO_COLOR is set. */
bool style_set_color(const char *when);

/* Like fprintf(), in STYLE. If the locale is not UTF-8, marks such as "✓" and "…" in the output
 * become ASCII. */
void style_print(FILE *out, enum style style, const char *format, ...) PRINTF_LIKE(3, 4);
