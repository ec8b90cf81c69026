/* Reads fstests' shell code into pieces. */
#pragma once

#include "frontend/fstests/requirement_pieces.h"

/* The first pass over a file of common/: its functions and what its variables are. NAME is
 * "common/dump". */
void requirement_scan_names(struct requirement_scan *scan, const char *name, const char *text);

/* The second pass, once all names are known. */
void requirement_scan_file(struct requirement_scan *scan, const char *name, const char *text);

/* Reads a test into piece 0. */
void requirement_scan_test(struct requirement_scan *scan, const char *text);
