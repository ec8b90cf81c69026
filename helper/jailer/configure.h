/* The second half of a build. */
#pragma once

#include "helper/jailer/server.h"

/* Has the tree's own dpkg configure the unpacked packages, and writes the files that no package
 * provides. */
int configure_tree(struct server *s, struct error **err);
