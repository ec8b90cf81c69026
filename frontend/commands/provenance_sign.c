#include "frontend/commands/provenance_sign.h"

#include <string.h>

#include "frontend/client/inspection.h"
#include "frontend/rootfs/envelope.h"
#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/openpgp.h"
#include "frontend/rootfs/provenance.h"

/* What is signed: the statement, in one line. The caller frees it. NULL with ERR set. */
static char *compose_payload(const struct provenance_subject *s, struct error **err)
{
	_cleanup_(json_free) json_t *statement = NULL;
	uint8_t tree[SHA256_LEN];
	char *text;

	if (inspect_digest(s->helper, s->tree, tree, err) < 0)
		return NULL;
	statement = provenance_compose(s->manifest, s->name, s->path, tree, s->record, err);
	if (!statement)
		return NULL;
	text = json_dumps(statement, JSON_COMPACT);
	if (!text)
		error_no_memory(err);
	return text;
}

int provenance_sign(const struct provenance_subject *s, const char *key, char **text,
		    struct error **err)
{
	_cleanup_(envelope_clear) struct envelope e = { 0 };
	_cleanup_free_ char *encoded = NULL;
	char fingerprint[FINGERPRINT_SIZE];
	size_t size;

	e.payload = compose_payload(s, err);
	if (!e.payload)
		return -1;
	e.payload_size = strlen(e.payload);
	encoded = envelope_encode(PROVENANCE_PAYLOAD, e.payload, e.payload_size, &size);
	if (!encoded)
		return error_no_memory(err);
	if (openpgp_sign(key, encoded, size, &e.signature, &e.signature_size, fingerprint, err) < 0)
		return -1;
	return envelope_compose(&e, PROVENANCE_PAYLOAD, fingerprint, text, err);
}
