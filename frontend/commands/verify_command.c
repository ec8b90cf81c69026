/* rootlet verify: checks signed provenance, and the rootfs against it. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/style.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/client/inspection.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/manifest_line.h"
#include "frontend/rootfs/envelope.h"
#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/openpgp.h"
#include "frontend/rootfs/provenance.h"
#include "frontend/rootfs/provenance_compare.h"
#include "frontend/rootfs/store.h"

static const struct option_row verify_rows[] = {
	ROOTFS_ROWS,
	{ "--keyring", "FILE", OPTION_KEYRING,
	  "the OpenPGP keys that you trust to sign provenance; not armored", .required = true },
	JSON_ROW(JSON_FINDINGS),
	{ NULL },
};

struct verification {
	json_t *statement; /* signed */
	char fingerprint[FINGERPRINT_SIZE];
	struct opened_rootfs rootfs;
	char tree[2 * SHA256_LEN + 1]; /* its digest now */
	struct findings differences;
};

static void verification_clear(struct verification *v)
{
	json_decref(v->statement);
	opened_rootfs_clear(&v->rootfs);
	findings_clear(&v->differences);
}

/* Nothing in the payload is read before its signature is verified. */
static int read_statement(struct verification *v, const char *file, const char *keyring,
			  struct error **err)
{
	_cleanup_(envelope_clear) struct envelope e = { 0 };
	_cleanup_free_ char *text = NULL, *encoded = NULL;
	size_t size;

	text = file_read(file, ENVELOPE_MAX, &size, err);
	if (!text || envelope_parse(text, size, file, PROVENANCE_PAYLOAD, &e, err) < 0)
		return -1;
	encoded = envelope_encode(PROVENANCE_PAYLOAD, e.payload, e.payload_size, &size);
	if (!encoded)
		return error_no_memory(err);
	if (openpgp_verify(keyring, file, encoded, size, e.signature, e.signature_size,
			   v->fingerprint, err) < 0)
		return -1;
	v->statement = provenance_parse(e.payload, e.payload_size, file, err);
	return v->statement ? 0 : -1;
}

static int compare_rootfs(struct verification *v, const struct parsed_line *line,
			  struct error **err)
{
	_cleanup_(json_free) json_t *now = NULL;
	uint8_t tree[SHA256_LEN];

	if (line_open(line, &v->rootfs, err) < 0 ||
	    inspect_digest(v->rootfs.helper, v->rootfs.tree, tree, err) < 0)
		return -1;
	sha256_to_hex(tree, v->tree);
	now = provenance_compose(v->rootfs.manifest, "", v->rootfs.path, tree, NULL, err);
	if (!now)
		return -1;
	provenance_compare(v->statement, now, &v->differences);
	return 0;
}

static const char *or_none(const char *text)
{
	return *text ? text : NULL;
}

static json_t *verification_describe(const struct verification *v)
{
	const struct findings *f = &v->differences;
	json_t *reasons = json_array();

	for (size_t i = 0; i < f->count && i < FINDINGS_MAX; i++)
		json_array_append_new(reasons, json_text(f->lines[i]));
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:o, s:I, s:o}", "state",
			 f->count ? "differs" : "verified", "path", json_text(v->rootfs.path),
			 "name", json_text(provenance_name(v->statement)), "key", v->fingerprint,
			 "tree", v->tree, "signed_tree", provenance_tree(v->statement),
			 "audit_record", json_text(or_none(provenance_invocation(v->statement))),
			 "differences", (json_int_t)f->count, "reasons", reasons);
}

static void verification_print(const struct verification *v)
{
	const struct findings *f = &v->differences;
	const struct manifest *m = v->rootfs.manifest;
	const char *record = provenance_invocation(v->statement);

	if (f->count)
		style_print(stdout, STYLE_BAD, "✗ The rootfs at %s is not what was signed\n\n",
			    v->rootfs.path);
	else
		style_print(stdout, STYLE_GOOD, "✓ The rootfs at %s is what was signed\n\n",
			    v->rootfs.path);
	for (size_t i = 0; i < f->count && i < FINDINGS_MAX; i++)
		printf("  - %s\n", f->lines[i] ? f->lines[i] : "out of memory");
	if (f->count > FINDINGS_MAX)
		printf("  - and %zu more\n", f->count - FINDINGS_MAX);
	if (f->count)
		putchar('\n');
	printf("Signed by: %s\n", v->fingerprint);
	printf("Tree: %s\n", v->tree);
	printf("%s %s: %zu packages, %zu release files\n", m->distribution, m->suite,
	       m->package_count, m->release_count);
	if (*record)
		printf("Audit record: %s\n", record);
}

static int command_verify(const struct parsed_line *line)
{
	_cleanup_(verification_clear) struct verification v = { .rootfs = NOT_OPENED };
	_cleanup_error_ struct error *err = NULL;
	bool json = line_has(line, OPTION_JSON);
	int status;

	interrupt_catch();
	if (read_statement(&v, line->operands[0], line_value(line, OPTION_KEYRING), &err) < 0 ||
	    compare_rootfs(&v, line, &err) < 0) {
		status = report_error("verify", err);
		return json ? document_failure(err, status) : status;
	}
	json_clean(v.statement);
	if (json)
		document_print(verification_describe(&v));
	else
		verification_print(&v);
	return v.differences.count ? EXIT_TRUST : EXIT_OK;
}

const struct command verify_command = {
	.name = "verify",
	.summary = "check a rootfs against its signed provenance",
	.about = "Checks the signature of what rootlet export --provenance wrote, with the keys "
		 "that you trust, and then the rootfs: whether its files, packages, release files "
		 "and parameters are those that were signed. Says what differs.",
	.statuses = "0 it is what was signed; 1 failed; 2 wrong command line, or FILE is not the "
		    "provenance of a rootfs; 3 the signature is not valid, or the rootfs differs.",
	.rows = verify_rows,
	.operands = "FILE",
	.run = command_verify,
};
