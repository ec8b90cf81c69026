/* Copies and hashes in the same pass, because the caller can change the original at any time. */
#pragma once

#include <stdint.h>

#include "lib/error.h"
#include "proto/validate.h"

/* Copies at most MOST bytes from the start of descriptor FROM to TO, and hashes them. ERR_TRUST if
 * there are more. */
int copy_hashed(int from, int to, uint64_t most, uint8_t sum[static SHA256_LEN], uint64_t *size,
		struct error **err);
