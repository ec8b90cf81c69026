/* The rootfs that --name or --path chooses, and its manifest. */
#pragma once

#include "frontend/commands/commandline.h"
#include "frontend/rootfs/manifest.h"

struct opened_rootfs {
	struct helper *helper;
	int directory, tree; /* as found (O_PATH), and as opened; or -1 */
	char *path;	     /* absolute */
	struct manifest *manifest;
};

#define NOT_OPENED                                                                                 \
	(struct opened_rootfs)                                                                     \
	{                                                                                          \
		.directory = -1, .tree = -1                                                        \
	}

/* R is NOT_OPENED before, and cleared by the caller in any case. */
int line_open(const struct parsed_line *line, struct opened_rootfs *r, struct error **err);
void opened_rootfs_clear(struct opened_rootfs *r);
