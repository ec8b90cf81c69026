/* Where the rootfs was published that another one was made from, and the keys it was signed with.
 * This is recorded in $XDG_STATE_HOME/rootlet/publishers, not in the tree: programs in a rootfs
 * must not choose what it is replaced with, and it is the same wherever it was fetched from. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

struct publisher {
	char *url, *name, *keyring; /* KEYRING is an absolute path */
	bool pinned;		    /* `create --generation` chose what it was made from */
};

/* That of the rootfs BASE in PARENT. The caller clears P in any case. ERR_MISSING if there is no
 * record, or a damaged one. */
int publisher_read(const char *parent, const char *base, struct publisher *p, struct error **err);
int publisher_write(const char *parent, const char *base, const struct publisher *p,
		    struct error **err);
void publisher_forget(const char *parent, const char *base);
void publisher_clear(struct publisher *p);
