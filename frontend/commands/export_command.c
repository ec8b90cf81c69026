/* rootlet export: writes what is in a rootfs, in a format for other programs. */
#include <string.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/manifest_line.h"
#include "frontend/rootfs/sbom.h"
#include "frontend/rootfs/store.h"

enum { OPTION_SBOM = OPTION_OWN, OPTION_FORMAT };

static const struct option_row export_rows[] = {
	ROOTFS_ROWS,
	{ "--sbom", "FILE", OPTION_SBOM, "write the list of packages to FILE; - is standard output",
	  .required = true, .once = true },
	{ "--format", "spdx|cyclonedx", OPTION_FORMAT, "SPDX 2.3 or CycloneDX 1.5, both in JSON",
	  .fallback = "spdx" },
	{ NULL },
};

static char *sbom_of_rootfs(const struct parsed_line *line, struct error **err)
{
	bool spdx = strcmp(line_value(line, OPTION_FORMAT), "spdx") == 0;
	_cleanup_(manifest_free) struct manifest *manifest = NULL;
	_cleanup_free_ char *path = NULL;
	char *text = NULL;

	if (line_manifest(line, &manifest, &path, err) < 0 ||
	    sbom_compose(manifest, text_utf8(strrchr(path, '/') + 1),
			 spdx ? SBOM_SPDX : SBOM_CYCLONEDX, &text, err) < 0)
		return NULL;
	return text;
}

static int export_write(const struct parsed_line *line, struct error **err)
{
	const char *file = line_value(line, OPTION_SBOM);
	_cleanup_free_ char *text = sbom_of_rootfs(line, err);

	if (!text)
		return -1;
	return output_write(strcmp(file, "-") == 0 ? NULL : file, text, err);
}

static int command_export(const struct parsed_line *line)
{
	_cleanup_error_ struct error *err = NULL;

	interrupt_catch();
	return export_write(line, &err) < 0 ? report_error("export", err) : EXIT_OK;
}

const struct command export_command = {
	.name = "export",
	.summary = "list the packages of a rootfs in SPDX or CycloneDX",
	.about = "Writes a software bill of materials (SBOM) of a rootfs: each package with its "
		 "version, architecture, SHA-256, source package and package URL, as its manifest "
		 "records them. Two exports of the same rootfs are equal.",
	.statuses = "0 written; 1 failed; 2 wrong command line, or an older rootlet made the "
		    "rootfs.",
	.rows = export_rows,
	.run = command_export,
};
