/* A profile's text. What it extends is the same text. */
#include "frontend/profile_parse.h"

#include "fuzz.h"

#define EXTEND_MAX 4

struct seen {
	struct profile *profile;
	const char *text;
	unsigned depth;
};

static int extend(const char *name, void *context, struct error **err)
{
	struct seen *seen = context;

	if (!*name || strchr(name, '/'))
		abort();
	if (seen->depth++ == EXTEND_MAX)
		return error_set(err, ERR_INPUT, "a circle");
	return profile_parse(seen->profile, "beneath", seen->text, extend, seen, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(profile_free) struct profile *profile = calloc(1, sizeof(*profile));
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct seen seen = { .profile = profile, .text = text };

	if (!profile)
		abort();
	if (profile_parse(profile, "fuzz", text, extend, &seen, &err) < 0 &&
	    (!err || err->code != ERR_INPUT || !strstr(err->message, ":")))
		abort();
	for (size_t i = 0; i < profile->package_count; i++)
		if (strchr(profile->packages[i], '/'))
			abort();
	return 0;
}
