/* One create of a rootfs at a time: a lock file in rootlet's state directory for each directory and
 * name. It ends with the process. Users with different state directories do not share it; for them,
 * rootlet-helper refuses a second staging directory of one name. */
#pragma once

#include "lib/error.h"

struct name_claim {
	char *path; /* of the lock file */
	int fd;
};

#define NAME_CLAIM_NONE ((struct name_claim){ .fd = -1 })

/* Claims BASE in the directory PARENT, which messages call SHOWN. ERR_BUSY, with the id of its
 * process, if another create has the claim. */
int name_claim_take(int parent, const char *base, const char *shown, struct name_claim *claim,
		    struct error **err);
void name_claim_drop(struct name_claim *claim);
