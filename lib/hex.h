/* SHA-256 sums as lower-case hexadecimal digits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32
#define HEX_DIGITS "0123456789abcdef"

void sha256_to_hex(const uint8_t sum[static SHA256_LEN], char out[static 2 * SHA256_LEN + 1]);
