/* Removes from text what only concerns the machine of a run: host names, and paths outside the
 * guest. */
#pragma once

#include <jansson.h>

#include "frontend/reports/report_runs.h"

struct private_text {
	char **paths; /* of the host; the longest first */
	size_t path_count;
	char host[65], host_short[65]; /* "": none. Linux: at most 64 characters */
};

/* Takes the paths that the run records, the run's own, and the user's home directory. The caller
 * clears P in any case. */
int private_text_prepare(struct private_text *p, const struct report_run *run, struct error **err);
void private_text_clear(struct private_text *p);

/* TEXT with each path of the host as "/…/NAME", and its name as HOST. A path is of the host if it
 * is one of P's or below it, or has two parts or more and does not begin like a guest's (/dev,
 * /mnt, /usr …). The caller frees the result; NULL if out of memory. */
char *private_text_remove(const struct private_text *p, const char *text);

/* The same for all strings in JSON, except names of tests and words of ours. */
int private_text_remove_json(const struct private_text *p, json_t *json);
