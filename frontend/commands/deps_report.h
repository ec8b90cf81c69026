/* The output of `deps`. */
#pragma once

#include <jansson.h>

#include "frontend/fstests/dependencies.h"

struct deps_report {
	const struct requirements *requirements;
	const struct dependencies *dependencies;
	const struct manifest *manifest;
	const char *rootfs, *fstests; /* absolute paths */
	const char *kernel;	      /* its version or file; NULL: none was given */
	const char *index_failure;    /* why the release's own index was not used; NULL: it was */
	const char *options;	      /* that choose the rootfs: " --name x"; or "" */
};

void deps_report_print(const struct deps_report *report);
json_t *deps_report_describe(const struct deps_report *report);
