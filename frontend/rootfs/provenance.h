/* How a rootfs was made, as an in-toto Statement v1 with SLSA provenance v1, which depends only on
 * the tree and its manifest. docs/provenance.md describes every field.
 * Sources: https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "frontend/rootfs/manifest.h"
#include "lib/hex.h"

#define PROVENANCE_PAYLOAD "application/vnd.in-toto+json"
#define PROVENANCE_STATEMENT "https://in-toto.io/Statement/v1"
#define PROVENANCE_PREDICATE "https://slsa.dev/provenance/v1"
#define PROVENANCE_TREE "rootletTree1" /* the digest of struct tree_digest, among others */

/* The statement on the rootfs NAME at PATH. INVOCATION is the hash of an audit record, or NULL.
 * ERR_INPUT if the manifest does not say what the rootfs was made of. NULL with ERR set. */
json_t *provenance_compose(const struct manifest *m, const char *name, const char *path,
			   const uint8_t tree[static SHA256_LEN], const char *invocation,
			   struct error **err);

/* Reads a signed payload. FILE is for messages. ERR_INPUT if it is anything else than a statement
 * on a rootfs as provenance_compose() makes it. NULL with ERR set. */
json_t *provenance_parse(const char *payload, size_t size, const char *file, struct error **err);

/* The statement's own facts; "" if it has none. They stay the statement's. */
const char *provenance_name(const json_t *statement);
const char *provenance_tree(const json_t *statement);
const char *provenance_invocation(const json_t *statement);
