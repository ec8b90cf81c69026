/* What differs between a signed statement on a rootfs and the rootfs. */
#pragma once

#include <jansson.h>

#include "frontend/rootfs/findings.h"

/* SIGNED is a statement that provenance_parse() accepted, NOW one that provenance_compose() made of
 * the rootfs as it is. Adds a line for each difference, with the name of the package, release file
 * or field; fields that only one of them has are differences. The name of the rootfs, the version
 * of rootlet and the audit record may differ: they do not say what is in it. */
void provenance_compare(const json_t *signed_one, const json_t *now, struct findings *differences);
