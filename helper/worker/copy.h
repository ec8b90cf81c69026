/* What is hashed is copied in the same pass: the caller can change the original at any time. */
#pragma once

#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

/* Copies at most MOST bytes from descriptor FROM (from its start) to TO, hashing them. */
int copy_hashed(int from, int to, uint64_t most, uint8_t sum[static SHA256_LEN], uint64_t *size,
		struct error **err);
