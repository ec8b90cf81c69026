/* The rootfs that --name or --path chooses. */
#pragma once

#include "frontend/commands/commandline.h"
#include "frontend/rootfs/opened_rootfs.h"

/* As opened_rootfs_open(), for a command's line. */
int line_open(const struct parsed_line *line, struct opened_rootfs *r, struct error **err);
