/* The index of programs of a release: from the cache, or from the mirror if that in the cache is
 * old. */
#pragma once

#include "frontend/archive/program_index.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"

/* Sets INDEX, whose text the caller frees; NULL without one: *FAILURE, which the caller frees, says
 * why. With OFFLINE it downloads nothing. -1 with ERR set if interrupted or out of memory. */
int program_source_find(const struct source *source, struct helper *helper,
			struct progress *progress, bool offline, struct program_index *index,
			char **failure, struct error **err);
