/* The manifest of the rootfs that --name or --path chooses. */
#pragma once

#include "frontend/commands/commandline.h"
#include "frontend/rootfs/manifest.h"

/* Stores the manifest, and the absolute path of the rootfs; the caller frees both. */
int line_manifest(const struct parsed_line *line, struct manifest **manifest, char **path,
		  struct error **err);
