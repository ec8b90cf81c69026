#include "lib/hex_read.h"

#include <string.h>

bool sha256_from_hex(const char *hex, size_t length, uint8_t out[static SHA256_LEN])
{
	static const char digits[] = HEX_DIGITS;

	if (length != 2 * SHA256_LEN)
		return false;
	for (size_t i = 0; i < SHA256_LEN; i++) {
		const char *high = memchr(digits, hex[2 * i], 16);
		const char *low = memchr(digits, hex[2 * i + 1], 16);

		if (!high || !low)
			return false;
		out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}
