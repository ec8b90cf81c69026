/* The probes that look at the running kernel and at /etc. */
#pragma once

#include "frontend/commands/finding.h"

void probe_subids(struct finding *f);
void probe_libsubid(struct finding *f);
void probe_idmap_programs(struct finding *f);
void probe_namespaces(struct finding *f);
void probe_seal(struct finding *f);
void probe_kernel(struct finding *f);
void probe_landlock(struct finding *f);
void probe_downloads(struct finding *f);
