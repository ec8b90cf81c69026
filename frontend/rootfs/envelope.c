#include "frontend/rootfs/envelope.h"

#include <jansson.h>
#include <nettle/base64.h>
#include <string.h>

#include "frontend/rootfs/manifest_fields.h"

void envelope_clear(struct envelope *e)
{
	free(e->payload);
	free(e->signature);
	*e = (struct envelope){ 0 };
}

char *envelope_encode(const char *type, const void *payload, size_t size, size_t *length)
{
	_cleanup_free_ char *head = NULL;
	int n = asprintf(&head, "DSSEv1 %zu %s %zu ", strlen(type), type, size);
	char *text;

	if (n < 0) {
		head = NULL;
		return NULL;
	}
	*length = (size_t)n + size;
	text = malloc(*length + 1);
	if (!text)
		return NULL;
	memcpy(text, head, (size_t)n);
	memcpy(text + n, payload, size);
	text[*length] = '\0';
	return text;
}

/* --- base64 --- */

static char *base64_of(const char *data, size_t size)
{
	size_t length = BASE64_ENCODE_RAW_LENGTH(size);
	char *text = malloc(length + 1);

	if (text) {
		base64_encode_raw(text, size, (const uint8_t *)data);
		text[length] = '\0';
	}
	return text;
}

static json_t *base64_field(const char *data, size_t size)
{
	_cleanup_free_ char *text = base64_of(data, size);

	return text ? json_string(text) : NULL;
}

/* The bytes of TEXT, and a NUL; the caller frees them. NULL if it is not exactly what base64_of()
 * writes: nettle skips white space and ignores surplus bits. */
static char *base64_read(const char *text, size_t *size)
{
	size_t length = strlen(text);
	char *data = malloc(BASE64_DECODE_LENGTH(length) + 1);
	_cleanup_free_ char *again = NULL;
	struct base64_decode_ctx decoder;

	base64_decode_init(&decoder);
	*size = BASE64_DECODE_LENGTH(length);
	if (data && base64_decode_update(&decoder, size, (uint8_t *)data, length, text) &&
	    base64_decode_final(&decoder) && (again = base64_of(data, *size)) &&
	    strcmp(again, text) == 0) {
		data[*size] = '\0';
		return data;
	}
	free(data);
	return NULL;
}

/* --- writing --- */

int envelope_compose(const struct envelope *e, const char *type, const char *key_id, char **text,
		     struct error **err)
{
	_cleanup_(json_free) json_t *root =
		json_pack("{s:s, s:o, s:[{s:s, s:o}]}", "payloadType", type, "payload",
			  base64_field(e->payload, e->payload_size), "signatures", "keyid", key_id,
			  "sig", base64_field(e->signature, e->signature_size));
	_cleanup_free_ char *dump = root ? json_dumps(root, JSON_INDENT(2)) : NULL;

	return dump && asprintf(text, "%s\n", dump) >= 0 ? 0 : error_no_memory(err);
}

/* --- reading --- */

/* The only members that OBJECT may have are those of NAMES, each in blanks. */
static int require_known(const json_t *object, const char *names, const char *file,
			 struct error **err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		char padded[32];

		if (snprintf(padded, sizeof(padded), " %s ", name) >= (int)sizeof(padded) ||
		    !strstr(names, padded))
			return error_set(err, ERR_INPUT,
					 "%s: unknown field \"%.60s\" in the envelope", file, name);
	}
	return 0;
}

static int envelope_take(const json_t *object, const char *key, const char *file, char **data,
			 size_t *size, struct error **err)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || !*text)
		return error_set(err, ERR_INPUT, "%s: %s is missing from the envelope", file, key);
	*data = base64_read(text, size);
	return *data ? 0 : error_set(err, ERR_INPUT, "%s: %s is not base64", file, key);
}

static int envelope_take_all(const json_t *root, const char *file, const char *type,
			     struct envelope *e, struct error **err)
{
	const char *is = json_string_value(json_object_get(root, "payloadType"));
	const json_t *signatures = json_object_get(root, "signatures");
	const json_t *signature = json_array_get(signatures, 0);
	const json_t *key_id = json_object_get(signature, "keyid");

	if (!is)
		return error_set(err, ERR_INPUT, "%s is not a DSSE envelope: it has no payloadType",
				 file);
	if (strcmp(is, type) != 0)
		return error_set(err, ERR_INPUT, "%s: its payload is of type %.80s instead of %s",
				 file, is, type);
	if (json_array_size(signatures) != 1)
		return error_set(err, ERR_INPUT,
				 "%s has %zu signatures: an envelope of rootlet has one", file,
				 json_array_size(signatures));
	if (!json_is_object(signature) || (key_id && !json_is_string(key_id)))
		return error_set(err, ERR_INPUT, "%s: its signature is malformed", file);
	if (require_known(root, " payloadType payload signatures ", file, err) < 0 ||
	    require_known(signature, " keyid sig ", file, err) < 0 ||
	    envelope_take(root, "payload", file, &e->payload, &e->payload_size, err) < 0)
		return -1;
	return envelope_take(signature, "sig", file, &e->signature, &e->signature_size, err);
}

int envelope_parse(const char *text, size_t size, const char *file, const char *type,
		   struct envelope *e, struct error **err)
{
	_cleanup_(json_free) json_t *root = NULL;
	json_error_t where;

	*e = (struct envelope){ 0 };
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return error_set(err, ERR_INPUT, "%s, line %d: %s", file, where.line, where.text);
	return envelope_take_all(root, file, type, e, err);
}
