/* Package requests of the fetch process. Each returns 0, or -1 with ERR set. */
#pragma once

#include "frontend/archive/fetch_state.h"
#include "frontend/archive/resolve.h"

/* Copies the user's own package DEB into the cache, for all further choices. */
int work_take_deb(struct fetch_work *w, int deb, struct error **err);

/* CHOOSE is a FETCH_CHOOSE with the descriptor INSTALLED, or -1. */
int work_choose(struct fetch_work *w, const struct fetch_message *choose, int installed,
		struct error **err);
int work_download(struct fetch_work *w, struct error **err);
int work_unpack(struct fetch_work *w, uint32_t package, struct error **err);
