/* A profile's text. It can only extend itself. */
#include "frontend/rootfs/profile_parse.h"

#include "frontend/archive/package_words.h"
#include "fuzz.h"
#include "proto/validate.h"

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

static void check_words(char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!valid_package_choice(words[i]))
			abort();
	if (words && words[count])
		abort();
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
	check_words(profile->packages, profile->package_count);
	check_words(profile->optional, profile->optional_count);
	for (size_t i = 0; i < profile->for_release_count; i++) {
		check_words(profile->for_releases[i].packages,
			    profile->for_releases[i].package_count);
		check_words(profile->for_releases[i].optional,
			    profile->for_releases[i].optional_count);
	}
	profile_choose_release(profile, "focal", NULL);
	check_words(profile->packages, profile->package_count);
	return 0;
}
