/* What rootlet wrote about a rootfs into it: /etc/rootlet/manifest.json. A tree's content is not
 * trusted: reading bounds sizes and checks every field's shape. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "frontend/client/client.h"
#include "frontend/rootfs/profile.h"
#include "lib/error.h"

#define MANIFEST_FORMAT 1
#define MANIFEST_PATH "etc/rootlet/manifest.json"

struct manifest_package {
	char *name, *version;
};

struct manifest {
	char *profile, *profile_sha256; /* name, and the hash of the profile's file in hex */
	char *suite, *arch, *distribution, *mirror;
	uint32_t first_uid, first_gid, count; /* host ids of the rootfs's 0 to COUNT - 1 */
	int64_t created;		      /* seconds since the epoch */
	struct manifest_package *packages;
	size_t package_count;
	char **left_out; /* NULL-terminated: what the release lacks of the profile; NULL: nothing */
	struct account *users;
	size_t user_count;
	struct account_group *groups;
	size_t group_count;
};

/* ERR_INPUT where it is malformed; the second is of what view_open() gave, ERR_MISSING where that
 * has none. */
int manifest_parse(const char *text, size_t size, struct manifest **out, struct error **err);
int manifest_read(struct helper *h, int rootfs, struct manifest **out, struct error **err);

/* As a sealed memfd at offset 0, for Publish; the caller's to close. */
int manifest_write(const struct manifest *m, int *fd, struct error **err);

void manifest_free(struct manifest **m);
