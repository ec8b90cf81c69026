/* Package lists of the fetch process. */
#pragma once

#include "frontend/archive/fetch_state.h"

/* Adds the lists of all accepted pockets to the cache. Returns 0, or -1 with ERR set. */
int work_lists(struct fetch_work *w, struct error **err);
