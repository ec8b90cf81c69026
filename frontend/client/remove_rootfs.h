/* The request Remove. */
#pragma once

#include "frontend/client/client.h"

/* Removes the rootfs or snapshot NAME of PARENT, a descriptor; with STALE, only what a killed build
 * of it left. */
int remove_rootfs(struct helper *h, int parent, const char *name, bool stale, struct error **err);
