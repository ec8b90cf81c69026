/* Takes one package from its archive into the tree and into dpkg's database. Runs in the unpack
 * jail. Formats: deb-control(5), dpkg's info directory (one file NAME.KIND, or NAME:ARCH.KIND for a
 * package that is Multi-Arch: same). */
#pragma once

#include "helper/worker/unpack/extract.h"

#define DPKG_INFO "var/lib/dpkg/info"
#define WORK "var/lib/dpkg/rootlet"

enum package_state {
	PACKAGE_UNPACKED = 1, /* files and database entries exist, except for its status */
	PACKAGE_AHEAD,	      /* likewise, but its preinst has yet to run */
	PACKAGE_KEPT,	      /* dpkg has to unpack it */
};

enum unpack_way {
	UNPACK,
	UNPACK_BEFORE_PREINST, /* although its preinst does something */
	LEAVE_TO_DPKG,	       /* only read its control file */
	UNPACK_PIECE,	       /* some files of a finished tree: just those, with their owners */
};

/* Unpacks FD, which is at its start and stays open, and whose hash has been verified. Leaves its
 * control file as NAME in the work directory. A package is kept for dpkg if WAY says so, or if it
 * has a preinst that does something or anything else that only dpkg may interpret. FIRST: see
 * struct extraction. Returns the state, or -1 with ERR set: the tree is useless then. The first
 * piece is kept as well: the times of its directories have to be set again at the end. */
int package_unpack(const struct layout *layout, const char *name, int fd, bool first,
		   enum unpack_way way, struct error **err);
