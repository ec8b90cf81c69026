/* InRelease requests of the fetch process. Each returns 0, or -1 with ERR set. */
#pragma once

#include "frontend/archive/fetch_state.h"

int work_releases(struct fetch_work *w, uint32_t pockets, struct error **err);

/* Parses INRELEASE, which it takes over, or if that is -1 the file that it already has. */
int work_accept(struct fetch_work *w, uint32_t pocket, int *inrelease, struct error **err);
