/* Software bills of materials: a rootfs's packages, with their hashes, sources and package URLs.
 * The text depends only on the manifest and NAME, so that two exports are equal. */
#pragma once

#include "frontend/rootfs/manifest.h"

enum sbom_format {
	SBOM_SPDX,	/* SPDX 2.3, https://spdx.github.io/spdx-spec/v2.3/ */
	SBOM_CYCLONEDX, /* CycloneDX 1.5, ECMA-424 */
};

/* NAME is that of the rootfs. Stores the JSON in TEXT, which the caller frees. ERR_INPUT if the
 * manifest does not say what the packages were. */
int sbom_compose(const struct manifest *m, const char *name, enum sbom_format format, char **text,
		 struct error **err);

/* "pkg:deb/debian/attr@1:2.5.1-4?arch=amd64&distro=bookworm". The caller frees it; NULL if out of
 * memory. Source: package-url/purl-spec, types/deb. */
char *sbom_package_url(const struct manifest *m, const struct manifest_package *p);
