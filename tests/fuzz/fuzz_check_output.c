/* Guest output that claims to be from fstests' check. */
#include "frontend/fstests/check_output.h"

#include "fuzz.h"

struct seen {
	size_t started, ended;
};

static void started(const char *section, const char *name, void *context)
{
	struct seen *seen = context;

	(void)section;
	if (test_name_length(name) != strlen(name))
		abort();
	seen->started++;
}

static void ended(const struct test_result *result, void *context)
{
	struct seen *seen = context;
	json_t *object = result_to_json(result);

	for (const char *p = result->reason; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
	if (!json_object_get(object, "name") || result->status >= TEST_STATUSES ||
	    (result->reason && !json_object_get(object, "reason")) ||
	    (result->detail && !json_object_get(object, "detail")))
		abort();
	json_decref(object);
	if (++seen->ended > seen->started)
		abort();
}

static struct seen feed(const uint8_t *data, size_t size, size_t step)
{
	struct seen seen = { 0 };
	const struct check_events events = { .started = started, .ended = ended, .context = &seen };
	struct check_output *output = check_output_new(&events);

	for (size_t at = 0; at < size; at += step)
		check_output_feed(output, (const char *)data + at,
				  size - at < step ? size - at : step);
	check_output_end(output);
	check_output_free(&output);
	return seen;
}

/* The result does not depend on how the input is split. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = feed(data, size, size + 1), bytes = feed(data, size, 1);

	if (whole.ended != bytes.ended)
		abort();
	return 0;
}
