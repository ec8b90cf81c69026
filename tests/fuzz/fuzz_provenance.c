/* An envelope, and a statement as in its payload, which may come from anywhere; the input is read
 * as both. */
#include <stdlib.h>

#include "frontend/rootfs/envelope.h"
#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/provenance.h"
#include "frontend/rootfs/provenance_compare.h"

#include "fuzz.h"

static void read_envelope(const char *text, size_t size)
{
	struct envelope e, again = { 0 };
	char *written = NULL;

	/* What was read can be written and read again. */
	if (envelope_parse(text, size, "f", "x", &e, NULL) == 0 &&
	    (envelope_compose(&e, "x", "", &written, NULL) < 0 ||
	     envelope_parse(written, strlen(written), "f", "x", &again, NULL) < 0 ||
	     again.payload_size != e.payload_size))
		abort();
	free(written);
	envelope_clear(&e);
	envelope_clear(&again);
}

/* A statement equals itself, and never one that says almost nothing. */
static void read_statement(const char *text, size_t size)
{
	_cleanup_(json_free) json_t *statement = provenance_parse(text, size, "f", NULL);
	_cleanup_(json_free) json_t *other =
		json_pack("{s:{s:{s:[]}}}", "predicate", "buildDefinition", "resolvedDependencies");
	struct findings f = { 0 }, g = { 0 };

	if (!statement)
		return;
	provenance_compare(statement, statement, &f);
	provenance_compare(statement, other, &g);
	if (f.count || !g.count || !*provenance_tree(statement))
		abort();
	findings_clear(&f);
	findings_clear(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_envelope((const char *)data, size);
	read_statement((const char *)data, size);
	return 0;
}
