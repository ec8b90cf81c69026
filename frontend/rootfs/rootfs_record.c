#include "frontend/rootfs/rootfs_record.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/paths.h"
#include "lib/hash.h"

#define KIND_MAX 16

char *rootfs_record_path(const char *kind, const char *parent, const char *base, struct error **err)
{
	char hex[2 * SHA256_LEN + 1], relative[KIND_MAX + sizeof(hex) + 1];
	_cleanup_free_ char *dir = realpath(parent, NULL);
	const char *shown = dir ? dir : parent;
	uint8_t sum[SHA256_LEN];
	struct sha256_ctx hash;

	sha256_init(&hash);
	hash_add(&hash, shown, strlen(shown));
	hash_add(&hash, "/", 1);
	hash_add(&hash, base, strlen(base));
	hash_end(&hash, sum);
	sha256_to_hex(sum, hex);
	snprintf(relative, sizeof(relative), "%.*s/%s", KIND_MAX, kind, hex);
	return paths_state(relative, err);
}
