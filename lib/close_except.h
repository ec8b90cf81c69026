#pragma once

#include <stddef.h>

/* Closes all descriptors from 3 on but the COUNT ones in KEPT; -1 in there stands for none. */
void close_except(const int *kept, size_t count);
