/* How text looks: colours where a terminal shows them, and plain ASCII where the locale has no
 * UTF-8. What --color and the environment say of it is decided here. */
#pragma once

#include <stdbool.h>

#include "lib/cleanup.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_WARNING, STYLE_BAD, STYLE_HEADING };

/* WHEN is "auto", "always" or "never"; false for another word. Without a call it is auto: on a
 * terminal that is not dumb, unless $NO_COLOR is set. */
bool style_set_color(const char *when);

/* As fprintf(), in STYLE. Marks such as "✓" and "…" in FORMAT or what it takes become ASCII where
 * the locale is not UTF-8. */
void style_print(FILE *out, enum style style, const char *format, ...) PRINTF_LIKE(3, 4);
