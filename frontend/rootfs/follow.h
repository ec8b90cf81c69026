/* Upgrades of a rootfs that `rootlet create --from` made: its publisher's newest generation takes
 * its place. */
#pragma once

#include "frontend/archive/source.h"
#include "frontend/rootfs/provision.h"
#include "frontend/rootfs/publisher.h"

/* Sets PUBLISHER and SOURCE to where the next generation of the rootfs BASE in PARENT comes from,
 * whose manifest is M. SOURCE borrows from both; other keys may be put into it. ERR_INPUT if
 * packages were changed in the rootfs, ERR_MISSING if there is no record. The caller clears
 * PUBLISHER in any case. */
int follow_source(const struct manifest *m, const char *parent, const char *base,
		  struct publisher *publisher, struct source *source, struct error **err);

/* Replaces the rootfs of P with NEXT, which published_choose() made. PARENT is the path of its
 * directory. On failure the rootfs is as it was. */
int follow_replace(struct helper *h, const struct provision *p, const char *parent,
		   const struct manifest *next, struct error **err);
