/* The requests of the fetch process about InRelease files. Each returns 0, or -1 with ERR set. */
#pragma once

#include "frontend/archive/fetch_state.h"

int work_releases(struct fetch_work *w, uint32_t pockets, struct error **err);

/* Parses the file that it has, or INRELEASE, which is taken. */
int work_accept(struct fetch_work *w, uint32_t pocket, int *inrelease, struct error **err);
