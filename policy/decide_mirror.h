/* What only the front end can see, and decides: where packages come from. */
#pragma once

#include "policy/decide.h"

void policy_decide_mirror(const struct grant *grant, const char *url, struct decision *decision);
