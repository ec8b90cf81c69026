/* INI text as profiles have it, and apt's two formats of sources, which are root's on the host. */
#include "policy/ini_text.h"
#include "proto/validate.h"

#include "fuzz.h"

struct seen {
	struct ini_text ini;
	char **words;
	size_t count;
};

static int take(void *context, const char *section, const char *key, const char *value)
{
	struct seen *seen = context;

	if (strlen(section) + strlen(key) > 4096)
		abort();
	return ini_add_words(&seen->ini, value, "word", 100, valid_package_name, &seen->words,
			     &seen->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct seen seen = { .ini = { .path = "fuzz", .text = text, .err = &err } };

	if (ini_text_parse(&seen.ini, take, &seen) < 0 && !err)
		abort();
	if (seen.count > 100)
		abort();
	words_free(seen.words);
	return 0;
}
