/* rootlet export: writes what is in a rootfs, and how it was made, in formats for other programs.
 */
#include <string.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/commands/audit_origin.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/manifest_line.h"
#include "frontend/commands/provenance_sign.h"
#include "frontend/rootfs/openpgp.h"
#include "frontend/rootfs/sbom.h"
#include "frontend/rootfs/store.h"

enum { OPTION_SBOM = OPTION_OWN, OPTION_FORMAT, OPTION_PROVENANCE, OPTION_KEY };

static const struct option_row export_rows[] = {
	ROOTFS_ROWS,
	{ "--sbom", "FILE", OPTION_SBOM, "write the list of packages to FILE; - is standard output",
	  .once = true },
	{ "--format", "spdx|cyclonedx", OPTION_FORMAT, "SPDX 2.3 or CycloneDX 1.5, both in JSON",
	  .fallback = "spdx" },
	{ "--provenance", "FILE", OPTION_PROVENANCE,
	  "write how the rootfs was made to FILE, signed; - is standard output", .once = true },
	{ "--key", "KEY", OPTION_KEY,
	  "with --provenance: the OpenPGP key that signs, as a fingerprint or long key id" },
	{ NULL },
};

static int export_sbom(const struct parsed_line *line, const struct opened_rootfs *r,
		       const char *name, char **text, struct error **err)
{
	bool spdx = strcmp(line_value(line, OPTION_FORMAT), "spdx") == 0;

	if (!line_has(line, OPTION_SBOM))
		return 0;
	return sbom_compose(r->manifest, name, spdx ? SBOM_SPDX : SBOM_CYCLONEDX, text, err);
}

static int export_provenance(const struct parsed_line *line, const struct opened_rootfs *r,
			     const char *name, char **text, struct error **err)
{
	char record[2 * SHA256_LEN + 1];
	struct provenance_subject subject = {
		.helper = r->helper,
		.tree = r->tree,
		.manifest = r->manifest,
		.name = name,
		.path = r->path,
	};

	if (!line_has(line, OPTION_PROVENANCE))
		return 0;
	if (audit_find_origin(r->manifest, r->path, record))
		subject.record = record;
	if (provenance_sign(&subject, line_value(line, OPTION_KEY), text, err) < 0)
		return -1;
	if (!subject.record)
		fputs("rootlet export: note: the provenance names no audit record: no audit log "
		      "that you can read tells how the rootfs was made\n",
		      stderr);
	return 0;
}

/* --- the command --- */

static int export_to(const char *file, const char *text, struct error **err)
{
	if (!file)
		return 0;
	return output_write(strcmp(file, "-") == 0 ? NULL : file, text, err);
}

/* Composes everything before it writes anything. */
static int export_write(const struct parsed_line *line, struct error **err)
{
	_cleanup_(opened_rootfs_clear) struct opened_rootfs rootfs = NOT_OPENED;
	_cleanup_free_ char *sbom = NULL, *provenance = NULL;
	const char *name;

	if (line_open(line, &rootfs, err) < 0)
		return -1;
	name = text_utf8(strrchr(rootfs.path, '/') + 1);
	if (export_sbom(line, &rootfs, name, &sbom, err) < 0 ||
	    export_provenance(line, &rootfs, name, &provenance, err) < 0 ||
	    export_to(line_value(line, OPTION_SBOM), sbom, err) < 0)
		return -1;
	return export_to(line_value(line, OPTION_PROVENANCE), provenance, err);
}

static int export_check(const struct parsed_line *line)
{
	const char *sbom = line_value(line, OPTION_SBOM), *key = line_value(line, OPTION_KEY);
	const char *provenance = line_value(line, OPTION_PROVENANCE);

	if (!sbom && !provenance)
		return report_usage("export", "--sbom or --provenance is missing: give the file to "
					      "write");
	if (provenance && !key)
		return report_usage("export",
				    "--key is missing: provenance is always signed; give the key "
				    "that signs");
	if (key && !provenance)
		return report_usage("export", "--key is for --provenance");
	if (line_has(line, OPTION_FORMAT) && !sbom)
		return report_usage("export", "--format is for --sbom");
	if (key && !openpgp_valid_key(key))
		return report_usage("export", "--key %.80s " OPENPGP_KEY_ADVICE, key);
	if (provenance && sbom && strcmp(sbom, provenance) == 0)
		return report_usage("export", "--sbom and --provenance are the same file");
	return -1;
}

static int command_export(const struct parsed_line *line)
{
	_cleanup_error_ struct error *err = NULL;
	int status = export_check(line);

	if (status >= 0)
		return status;
	interrupt_catch();
	return export_write(line, &err) < 0 ? report_error("export", err) : EXIT_OK;
}

const struct command export_command = {
	.name = "export",
	.summary = "write what is in a rootfs, and how it was made, for other programs",
	.about = "Writes a software bill of materials (SBOM) of a rootfs: each package with its "
		 "version, architecture, SHA-256, source package and package URL, as its manifest "
		 "records them. Or writes its provenance: the digest of its files, and what they "
		 "were made of, signed with your OpenPGP key; rootlet verify checks it. Two "
		 "exports of the same rootfs are equal, except for the signature.",
	.statuses = "0 written; 1 failed; 2 wrong command line, or an older rootlet made the "
		    "rootfs.",
	.rows = export_rows,
	.run = command_export,
};
