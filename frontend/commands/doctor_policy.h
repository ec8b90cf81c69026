/* What an administrator has installed. */
#pragma once

#include "frontend/commands/finding.h"

void probe_helper(struct finding *f);
void probe_policy(struct finding *f);
