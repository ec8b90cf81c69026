/* Text in a YAML document. Each text is a double-quoted scalar of one line, which is the same in
 * YAML 1.1, YAML 1.2 and JSON: no library is needed, because nothing depends on what a plain or a
 * folded scalar means to the reader. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Whether a document can have TEXT: it must be UTF-8. False if out of memory. */
bool yaml_can_have(const char *text);

/* Prints TEXT, which yaml_can_have(), in double quotes. */
void yaml_print(FILE *out, const char *text);
