/* The manifest that rootlet writes into a rootfs, /etc/rootlet/manifest.json. The contents of a
 * tree are untrusted, so reading bounds sizes and validates every field. */
#pragma once

#include <stddef.h>

#include "frontend/client/client.h"
#include "frontend/rootfs/manifest_content.h"
#include "lib/error.h"

#define MANIFEST_FORMAT 2 /* 1 has only the versions of packages, and not ENGINE to RELEASES */
#define MANIFEST_PATH "etc/rootlet/manifest.json"

/* ERR_INPUT if the manifest is malformed. ROOTFS comes from view_open(); manifest_read() fails with
 * ERR_MISSING if it has no manifest. */
int manifest_parse(const char *text, size_t size, struct manifest **out, struct error **err);
int manifest_read(struct helper *h, int rootfs, struct manifest **out, struct error **err);

/* Writes a sealed memfd at offset 0, for Publish; the caller closes it. */
int manifest_write(const struct manifest *m, int *fd, struct error **err);

/* ERR_INPUT "cannot ACTION PATH" if the manifest of the rootfs at PATH does not say what it was
 * made of. */
int manifest_require_complete(const struct manifest *m, const char *action, const char *path,
			      struct error **err);

/* Free what an element has, and zero it. */
void manifest_package_clear(struct manifest_package *package);
void manifest_release_clear(struct manifest_release *release);

/* Frees the lists of packages and releases. */
void manifest_clear_packages(struct manifest *m);
void manifest_free(struct manifest **m);
