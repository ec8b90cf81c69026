/* The probes that look at what an administrator installed. */
#pragma once

#include "frontend/commands/finding.h"

void probe_helper(struct finding *f);
void probe_policy(struct finding *f);
