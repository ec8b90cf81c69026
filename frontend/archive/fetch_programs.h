/* The list of a release's programs, in the fetch process. */
#pragma once

#include "frontend/archive/fetch_state.h"

/* Makes the list in the cache called KEY (program_index.h), unless there is a current one. Uses
 * only what the verified release file signs, of the release itself: its updates bring no new
 * programs, and Ubuntu's take 300 MiB. ERR_MISSING if the release file signs no Contents index. */
int work_programs(struct fetch_work *w, const uint8_t key[static SHA256_LEN], struct error **err);
