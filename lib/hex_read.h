/* Reads SHA-256 sums in the form of lib/hex.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/hex.h"

/* Converts 64 digits to 32 bytes. False if HEX is anything else. */
bool sha256_from_hex(const char *hex, size_t length, uint8_t out[static SHA256_LEN]);
