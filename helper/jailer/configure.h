/* The second half of a build. */
#pragma once

#include "helper/jailer/server.h"

/* Has the tree's own dpkg configure what is unpacked, and leaves in the tree what no package does.
 * */
int configure_tree(struct server *s, struct error **err);
