#include "frontend/archive/program_source.h"

#include <string.h>
#include <time.h>

#include "frontend/archive/packages.h"

/* A release gets no new programs but with a point release, every two months. */
#define INDEX_FRESH (7 * 24 * 60 * 60) /* seconds */

/* Downloads the release's index, unless that in the cache is current. */
static int index_update(const struct source *source, struct helper *helper,
			struct progress *progress, struct program_index *index, struct error **err)
{
	_cleanup_(packages_close) struct fetch *fetch = NULL;
	struct program_index newer = { 0 };

	if (packages_open(source, helper, progress, &fetch, err) < 0 ||
	    packages_programs(fetch, &newer, err) < 0)
		return -1;
	free(index->text);
	*index = newer;
	return 0;
}

/* An index that was downloaded earlier is better than none. */
static int index_excuse(struct progress *progress, struct program_index *index, struct error **why,
			char **failure, struct error **err)
{
	if (*why && (*why)->code == ERR_INTERRUPTED) {
		if (err)
			*err = STEAL_PTR(*why);
		return -1;
	}
	if (index->text && *why && (*why)->code == ERR_NETWORK) {
		progress_note(progress, "using the index fetched earlier: %s", error_text(*why));
		return 0;
	}
	free(index->text);
	*index = (struct program_index){ 0 };
	*failure = strdup(error_text(*why));
	return *failure ? 0 : error_no_memory(err);
}

int program_source_find(const struct source *source, struct helper *helper,
			struct progress *progress, bool offline, struct program_index *index,
			char **failure, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	int r = packages_programs_cached(source, index, &why);

	if (r < 0)
		return index_excuse(progress, index, &why, failure, err);
	if (r > 0 && (offline || time(NULL) - index->checked < INDEX_FRESH))
		return 0;
	if (offline)
		error_set(&why, ERR_MISSING, "the cache has no index of %s, and --offline is given",
			  source->suite);
	else if (index_update(source, helper, progress, index, &why) == 0)
		return 0;
	return index_excuse(progress, index, &why, failure, err);
}
