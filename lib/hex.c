#include "lib/hex.h"

void sha256_to_hex(const uint8_t sum[static SHA256_LEN], char out[static 2 * SHA256_LEN + 1])
{
	static const char digits[] = HEX_DIGITS;

	for (size_t i = 0; i < SHA256_LEN; i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
	out[2 * SHA256_LEN] = '\0';
}
