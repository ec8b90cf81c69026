/* State of the fetch process: set up by its parent, then extended by each request. */
#pragma once

#include "frontend/archive/downloader.h"
#include "frontend/archive/fetch_message.h"
#include "frontend/archive/package_set.h"
#include "frontend/archive/release.h"
#include "frontend/archive/source.h"
#include "frontend/cli/progress.h"

struct work_pocket {
	int inrelease;		 /* the sealed file, shared with the parent; -1: none */
	size_t url;		 /* index of the pocket's mirror that had it */
	struct release *release; /* NULL: not accepted */
	const char *mirror;
	struct pocket_index *indexes;
	size_t index_count;
};

struct work_package {
	char *name, *version, *arch, *url, *path;
	char *source, *source_version;
	uint8_t sha256[SHA256_LEN];
	uint32_t pocket; /* number of the one that has it */
	uint64_t size;
};

/* Words of the next choice. */
struct work_words {
	char **list; /* NULL-terminated, or NULL */
	size_t count;
};

struct fetch_work {
	/* Set by the parent, and not freed here. */
	const struct origin *origin;
	const char *indexes, *packages, *kept; /* directories of the cache; KEPT may be NULL */
	const char *tree_path;		  /* directory in which packages are unpacked; NULL: none */
	char *(*place)(const char *path); /* see deb_files.h */

	int channel, tree;
	struct downloader *downloader;
	struct progress *progress;
	struct progress_sink sink;
	struct work_pocket pockets[FETCH_POCKETS];
	struct work_package *list;
	size_t count;
	struct work_words words[WANT_KINDS];
	char *local; /* a Packages file of the user's own packages, or NULL */
};

/* Downloads that are planned one by one and freed together. */
struct downloads {
	struct download *list;
	size_t count;
};
void downloads_clear(struct downloads *d);

int work_send(struct fetch_work *w, const struct fetch_message *message, int fd,
	      struct error **err);
