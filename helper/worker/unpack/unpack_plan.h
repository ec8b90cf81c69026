/* What is left for dpkg once the packages are unpacked: a database that says so, and a shell
 * script, /var/lib/dpkg/rootlet/_plan, that has dpkg do the rest in an order that Debian Policy 6.5
 * and 7.2 allow. Formats: deb-control(5), deb-triggers(5), dpkg's status file. */
#pragma once

#include "helper/worker/unpack/package_list.h"

/* Reads the control files of all packages and marks the base packages. */
int plan_read(struct unpack_plan *plan, const struct layout *layout, struct error **err);

/* Writes the plan for a new tree. */
int plan_write(struct unpack_plan *plan, const struct layout *layout, struct error **err);

/* Writes the plan for a tree that has packages already: all is dpkg's work, and of a package's own
 * configuration files that somebody has changed, theirs stays. */
int plan_write_change(struct unpack_plan *plan, const struct layout *layout, struct error **err);
