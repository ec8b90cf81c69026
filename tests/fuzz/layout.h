/* A tree as the unpacker sees it, in the target's own directory, for one input. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "helper/worker/entries.h"
#include "helper/worker/tree/walk.h"
#include "helper/worker/unpack/package.h"

#include "fuzz.h"

static inline struct layout layout_make(int parent)
{
	struct layout layout = { .tree = -1, .work = -1, .merged = true, .arch = "amd64" };

	if (mkdirat(parent, "tree", 0755) < 0)
		abort();
	layout.tree = openat(parent, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(tree_make_dirs(layout.tree, DPKG_INFO));
	layout.work = tree_make_dirs(layout.tree, WORK);
	if (layout.work < 0)
		abort();
	return layout;
}

static inline void layout_remove(int parent, const struct layout *layout)
{
	close(layout->work);
	if (empty_tree(layout->tree, NULL) < 0 || unlinkat(parent, "tree", AT_REMOVEDIR) < 0)
		abort();
	close(layout->tree);
}
