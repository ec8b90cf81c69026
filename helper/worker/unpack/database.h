/* dpkg's database. */
#pragma once

#include "helper/worker/unpack/package_list.h"

/* Writes dpkg's database for the unpacked packages, and puts the conffiles of base packages in
 * place. */
int database_write(const struct unpack_plan *plan, const struct layout *layout, struct error **err);
