/* A report as one HTML file that needs no other: page.html with its style and its script, and the
 * runs as a block of JSON. The script puts text from it into the page as text only, and the page's
 * Content-Security-Policy allows no other script, and loads nothing. */
#pragma once

#include "frontend/reports/report_runs.h"

/* The caller frees the result; NULL if out of memory. */
char *html_of_report(const struct report *r);
