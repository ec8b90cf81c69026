/* The file that `rootlet cache export` writes: a tar archive, compressed with zstd, of regular
 * files only. Its first one, PACK_MARK, says which format it has. Reading one is done by a confined
 * process, as anybody may have written it. Formats: tar(5), zstd(1). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frontend/cli/progress.h"
#include "lib/error.h"

#define PACK_MARK "rootlet-cache"

struct cache_pack;

/* Starts the file PATH: it gets its name, replacing another file, when it is complete. NULL with
 * ERR set. */
struct cache_pack *cache_pack_begin(const char *path, struct error **err);

/* Adds the whole file FD, or a text, as NAME. A file may be made executable when it is read. */
int cache_pack_file(struct cache_pack *pack, const char *name, int fd, bool executable,
		    struct error **err);
int cache_pack_text(struct cache_pack *pack, const char *name, const char *text,
		    struct error **err);

/* *BYTES becomes its size. */
int cache_pack_finish(struct cache_pack *pack, uint64_t *bytes, struct error **err);

/* Discards what was not finished. */
void cache_pack_free(struct cache_pack **pack);

/* Writes the files of PACK (open for reading) into the empty DIRECTORY (absolute), and nowhere
 * else. They belong to the user, and none is setuid, a device or a link. ERR_INPUT if PACK has
 * anything else, or is not such a file. */
int cache_unpack(int pack, const char *directory, struct error **err);
