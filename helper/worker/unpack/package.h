/* One package from its archive into the tree and into dpkg's database. Runs in the unpack jail.
 * Formats: deb-control(5), dpkg's info folder (one file NAME.KIND, or NAME:ARCH.KIND for a package
 * that is Multi-Arch: same). */
#pragma once

#include "helper/worker/unpack/extract.h"

#define DPKG_INFO "var/lib/dpkg/info"
#define WORK "var/lib/dpkg/rootlet"

enum package_state {
	PACKAGE_UNPACKED = 1, /* files and database entries are there, but for its status */
	PACKAGE_AHEAD,	      /* likewise, while its preinst is still to be run */
	PACKAGE_KEPT,	      /* dpkg has to unpack it */
};

/* Unpacks FD (the caller's, at its start), whose hash is known to be right, and leaves its control
 * file as NAME in the work folder. A package is kept where it has a preinst that does something
 * (unless PREINST_LATER) or something else that is dpkg's to interpret. FIRST: see struct
 * extraction. Returns the state, or -1 with ERR set: the tree is then good for nothing. */
int package_unpack(const struct layout *layout, const char *name, int fd, bool first,
		   bool preinst_later, struct error **err);
