/* What install, uninstall and upgrade have in common: their options, and how they report. */
#pragma once

#include "frontend/commands/commandline.h"
#include "frontend/commands/source_line.h"
#include "frontend/rootfs/change.h"
#include "frontend/rootfs/store.h"

#define CHANGE_ROWS                                                                                \
	ROOTFS_ROWS, SOURCE_ROWS("the one that the rootfs was made from"), REPOSITORY_ROW

#define CHANGE_STATUSES                                                                            \
	"1 failed; 2 wrong command line, or no such package; 3 wrong signature, hash or date; 4 "  \
	"mirror; 5 the host lacks something; 6 the rootfs is in use; 7 disk full; 130 "            \
	"interrupted. After a failure the rootfs is as it was."

/* Plans the change that REQUEST describes, whose rootfs and source come from LINE, and makes it
 * unless ONLY_PLAN. Returns the exit status: 0 if there is nothing to do, DUE if something is and
 * ONLY_PLAN. */
int change_run(const struct parsed_line *line, struct change_request *request, bool only_plan,
	       int due);

/* The same for every rootfs in the store, one after the other, but not for those that an upgrade
 * left as NAME.previous. Continues after a failure. Returns the highest exit status. */
int change_run_all(const struct parsed_line *line, struct change_request *request, bool only_plan,
		   int due);
