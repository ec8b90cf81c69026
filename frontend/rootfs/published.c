#include "frontend/rootfs/published.h"

#include <string.h>

#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/pieces.h"
#include "lib/error_wrap.h"

void published_source(const char *url, const char *suite, struct source *source)
{
	static const char *const components[] = { PUBLISHED_COMPONENT, NULL };

	source->mirror = url;
	source->suite = suite;
	source->components = components;
	source->published = true;
}

int published_choose(struct fetch *fetch, const char *name, struct manifest **lock,
		     struct error **err)
{
	static const char *const all[] = { PIECE_DIRECTORIES, NULL };
	const struct wanted wanted = { .packages = all };
	const struct package_set *set = packages_set(fetch);
	size_t size;
	_cleanup_free_ char *text = packages_file(fetch, PUBLISHED_LOCK, &size, err);

	if (!text || lock_parse(text, size, PUBLISHED_LOCK, lock, err) < 0 ||
	    packages_choose(fetch, BASE_NONE, &wanted, err) < 0)
		return error_wrap(err, "cannot make the rootfs published as %s", set->suite);
	(*lock)->published = strdup(name);
	(*lock)->published_generation = set->pockets[0].generation;
	return (*lock)->published ? 0 : error_no_memory(err);
}
