/* Moves snapshots and kernels between caches in one file: cache_pack.h. Root images stay, because
 * their names depend on inode numbers and times: another host would never find one. */
#pragma once

#include <jansson.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"

struct cache_moved {
	size_t snapshots, kernels;
	size_t present;	  /* import: what the cache had already */
	uint64_t bytes;	  /* of the file */
	json_t *rejected; /* import: an array of {kind, name, message}; the caller frees it */
};

int cache_export(const char *path, struct progress *progress, struct cache_moved *moved,
		 struct error **err);

/* Objects that do not pass the checks of `rootlet cache verify`, or that this host could never use,
 * are rejected, and the others imported. ERR_INPUT, and nothing is imported, if the file is not
 * what cache_export() writes. */
int cache_import(const char *path, struct progress *progress, struct cache_moved *moved,
		 struct error **err);
