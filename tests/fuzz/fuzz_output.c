/* Output of programs in a jail, as used in messages. */
#include "lib/output.h"

#include "fuzz.h"

static void check(const char *line, void *context)
{
	(void)context;
	for (; *line; line++)
		if ((unsigned char)*line < 32 || *line == 127)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct output output;
	char tail[1024], small[8];

	memset(&output, 0, sizeof(output));
	output.line = check;
	output_feed(&output, (const char *)data, size / 2);
	output_feed(&output, (const char *)data + size / 2, size - size / 2);
	output_feed(&output, "\n", 1);
	output_tail(&output, tail, sizeof(tail));
	output_tail(&output, small, sizeof(small));
	check(tail, NULL);
	return 0;
}
