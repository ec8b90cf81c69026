/* choose INDEX SUITE ARCH PACKAGE…: what create does to choose packages, from one uncompressed
 * Packages file; prints how many it chose. */
#include <stdio.h>

#include "frontend/resolve.h"

int main(int argc, char **argv)
{
	_cleanup_error_ struct error *err = NULL;
	const struct resolve_index index = { .packages = argc > 1 ? argv[1] : "", .base = true };
	struct choices choices = { 0 };

	if (argc < 5) {
		fputs("usage: choose INDEX SUITE ARCH PACKAGE…\n", stderr);
		return 2;
	}
	if (resolve(&index, 1, argv[2], argv[3], BASE_MINIMAL, (const char *const *)argv + 4,
		    &choices, &err) < 0) {
		fprintf(stderr, "choose: %s\n", err ? err->message : "out of memory");
		return 1;
	}
	printf("%zu\n", choices.count);
	choices_clear(&choices);
	return 0;
}
