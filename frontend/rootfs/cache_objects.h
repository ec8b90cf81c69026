/* The contents of the cache: objects of several kinds, with their size and last use. Everything not
 * in use can be removed at any time. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "frontend/client/client.h"

/* Each kind's name is that of its subdirectory in the cache. */
#define CACHE_KINDS 8
extern const char *const cache_kinds[CACHE_KINDS];

struct cache_object {
	size_t kind;
	char name[NAME_MAX + 1]; /* in the kind's directory */
	uint64_t bytes;		 /* on disk */
	int64_t used;		 /* last use, seconds since the epoch */
};

struct cache_objects {
	struct helper *helper; /* started for the first object owned by the sub-range */
	int dirs[CACHE_KINDS];
	struct cache_object *list;
	size_t count;
};
#define CACHE_OBJECTS_NONE ((struct cache_objects){ .dirs = { -1, -1, -1, -1, -1, -1, -1, -1 } })

int cache_objects_scan(struct cache_objects *objects, struct error **err);
void cache_objects_clear(struct cache_objects *objects);

/* ERR_BUSY if it is in use. */
int cache_object_remove(struct cache_objects *objects, const struct cache_object *o,
			struct error **err);

/* Reads it again. ERR_TRUST if it is damaged, or if no expected hash was saved. */
int cache_object_verify(struct cache_objects *objects, const struct cache_object *o,
			struct error **err);
