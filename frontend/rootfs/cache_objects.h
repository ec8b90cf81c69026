/* What lies in the cache: objects of several kinds, how large they are and when they were last
 * used. All of it may go at any time, but for what is in use at the moment. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "frontend/client/client.h"

/* Each kind's name is that of its folder, below the cache's own. */
#define CACHE_KINDS 8
extern const char *const cache_kinds[CACHE_KINDS];

struct cache_object {
	size_t kind;
	char name[NAME_MAX + 1]; /* in the kind's folder */
	uint64_t bytes;		 /* on the disk */
	int64_t used;		 /* when last */
};

struct cache_objects {
	struct helper *helper; /* started for the first one that belongs to the sub-range */
	int folders[CACHE_KINDS];
	struct cache_object *list;
	size_t count;
};
#define CACHE_OBJECTS_NONE ((struct cache_objects){ .folders = { -1, -1, -1, -1, -1, -1, -1, -1 } })

int cache_objects_scan(struct cache_objects *objects, struct error **err);
void cache_objects_clear(struct cache_objects *objects);

/* ERR_BUSY where it is in use. */
int cache_object_remove(struct cache_objects *objects, const struct cache_object *o,
			struct error **err);

/* Reads it again. ERR_TRUST where it is damaged, or where nothing says what it must be. */
int cache_object_verify(struct cache_objects *objects, const struct cache_object *o,
			struct error **err);
