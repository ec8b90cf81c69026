/* What was chosen, with all that is needed to download it. */
#pragma once

#include "frontend/archive/resolution.h"

/* Fills in CHOICE, except its size if the index has to be read for it, from package ID. */
int choice_take(const struct resolution *r, Id id, struct choice *choice, struct error **err);

/* Lists what R's solver decided, and what has to go. Marks all packages that the result has in
 * R->chosen. Those that are installed already are not listed. */
int choices_collect(struct resolution *r, struct choices *out, struct error **err);

/* Reads the sizes that are still missing from the indexes. */
int choices_take_sizes(const struct resolution *r, const struct resolve_index *indexes,
		       const char *suite, struct choices *choices, struct error **err);
