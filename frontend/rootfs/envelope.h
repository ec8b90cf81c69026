/* DSSE envelopes with one signature: https://github.com/secure-systems-lab/dsse, version 1.0.2. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

/* Bytes of a file: room for more packages than a rootfs can have. */
#define ENVELOPE_MAX (8 << 20)

struct envelope {
	char *payload, *signature; /* bytes; PAYLOAD is followed by a NUL */
	size_t payload_size, signature_size;
};

/* What is signed, the pre-authentication encoding of a payload of TYPE. The caller frees it. NULL
 * if out of memory. */
char *envelope_encode(const char *type, const void *payload, size_t size, size_t *length);

/* The envelope as text, which the caller frees. */
int envelope_compose(const struct envelope *e, const char *type, const char *key_id, char **text,
		     struct error **err);

/* Reads an envelope of TYPE. Checks its form but not its signature. FILE is for messages.
 * ERR_INPUT says what is wrong. The caller clears E in any case. */
int envelope_parse(const char *text, size_t size, const char *file, const char *type,
		   struct envelope *e, struct error **err);

void envelope_clear(struct envelope *e);
