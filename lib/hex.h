/* SHA-256 sums as lower-case hexadecimal digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32

/* Converts 64 digits to 32 bytes. False if HEX is anything else. */
bool sha256_from_hex(const char *hex, size_t length, uint8_t out[static SHA256_LEN]);
void sha256_to_hex(const uint8_t sum[static SHA256_LEN], char out[static 2 * SHA256_LEN + 1]);
