/* Hashes, by nettle, which cannot fail: libcrypto would read its configuration, load providers and
 * take two milliseconds before the helper has done anything. */
#pragma once

#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hex.h"

static inline void hash_add(struct sha256_ctx *hash, const void *data, size_t size)
{
	sha256_update(hash, size, data);
}

static inline void hash_end(struct sha256_ctx *hash, uint8_t sum[static SHA256_LEN])
{
	sha256_digest(hash, SHA256_LEN, sum);
}

static inline void hash_of(const void *data, size_t size, uint8_t sum[static SHA256_LEN])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, size, data);
	hash_end(&hash, sum);
}
