#include "frontend/archive/release.h"

#include <string.h>
#include <strings.h>

#include "lib/deb822.h"
#include "lib/release_text.h"

/* Sets *TO to the value of the first field NAME, or NULL. Returns -1 if out of memory. */
static int field(const char *text, const char *name, char **to)
{
	size_t length;
	const char *value = stanza_field(text, strlen(text), name, &length);

	*to = value ? strndup(value, length) : NULL;
	return value && !*to ? -1 : 0;
}

/* Of a published rootfs; 0 if TEXT does not say. */
static uint32_t generation_in(const char *text)
{
	size_t length;
	const char *value = stanza_field(text, strlen(text), "Rootfs-Generation", &length);
	unsigned long number = value ? strtoul(value, NULL, 10) : 0;

	return number < UINT32_MAX ? (uint32_t)number : 0;
}

int release_parse(char *text, const char *what, struct release **out, struct error **err)
{
	_cleanup_(release_free) struct release *r = calloc(1, sizeof(*r));
	_cleanup_free_ char *owned = text, *by_hash = NULL;

	if (!r || field(text, "Origin", &r->origin) < 0 || field(text, "Date", &r->date) < 0 ||
	    field(text, "Acquire-By-Hash", &by_hash) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", what);
	r->text = STEAL_PTR(owned);
	r->by_hash = by_hash && strcasecmp(by_hash, "yes") == 0;
	r->made = release_text_time(r->text, "Date");
	r->generation = generation_in(r->text);
	if (r->made <= 0)
		return error_set(err, ERR_TRUST, "cannot trust %s: it has no date", what);
	*out = STEAL_PTR(r);
	return 0;
}

bool release_find(const struct release *r, const char *path, struct release_file *out)
{
	return release_text_find(r->text, path, out->sha256, &out->size);
}

void release_free(struct release **release)
{
	struct release *r = *release;

	if (!r)
		return;
	free(r->text);
	free(r->origin);
	free(r->date);
	free(r);
	*release = NULL;
}
