#include "helper/worker/copy.h"

#include <inttypes.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/write_all.h"

int copy_hashed(int from, int to, uint64_t most, uint8_t sum[static SHA256_LEN], uint64_t *size,
		struct error **err)
{
	static unsigned char data[1 << 18];
	struct sha256_ctx hash;
	off_t at = 0;
	ssize_t n;

	sha256_init(&hash);
	while ((n = RETRY_ON_EINTR(pread(from, data, sizeof(data), at))) > 0) {
		at += n;
		if ((uint64_t)at > most)
			return error_set(err, ERR_TRUST, "it is longer than %" PRIu64 " bytes",
					 most);
		sha256_update(&hash, (size_t)n, data);
		if (write_all(to, data, (size_t)n) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot write");
	}
	if (n < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read");
	hash_end(&hash, sum);
	*size = (uint64_t)at;
	return 0;
}
