/* Reads published rootfs: archives (publication.h) in which the name that a rootfs was published
 * under takes the place of a release, and whose packages are its pieces. */
#pragma once

#include "frontend/archive/packages.h"
#include "frontend/rootfs/manifest.h"

#define PUBLISHED_COMPONENT "rootfs"
#define PUBLISHED_LOCK "lock.json"

/* Makes SOURCE that of the rootfs published at URL as SUITE: "NAME", or "NAME.N" for generation N.
 * Its keyring and architecture stay. */
void published_source(const char *url, const char *suite, struct source *source);

/* Chooses all its pieces. *LOCK becomes the manifest of what is made of them, which was published
 * as NAME. The caller frees it. Call this after packages_open(). */
int published_choose(struct fetch *fetch, const char *name, struct manifest **lock,
		     struct error **err);
