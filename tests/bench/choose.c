/* choose INDEX SUITE ARCH PACKAGE…: chooses packages like create, from one uncompressed Packages
 * file: hashes it, looks for its cached form, and resolves. Prints the number of chosen packages.
 */
#include <fcntl.h>
#include <stdio.h>

#include "frontend/archive/cache.h"
#include "frontend/archive/resolve.h"
#include "frontend/archive/kept_file.h"
#include "lib/standard_descriptors.h"

int main(int argc, char **argv)
{
	_cleanup_error_ struct error *err = NULL;
	struct resolve_index index = { .packages = argc > 1 ? argv[1] : "", .base = true };
	_cleanup_free_ char *dir = NULL, *kept = NULL;
	_cleanup_close_ int fd = -1;
	struct choices choices = { 0 };

	standard_descriptors_open();
	if (argc < 5) {
		fputs("usage: choose INDEX SUITE ARCH PACKAGE…\n", stderr);
		return 2;
	}
	fd = open(index.packages, O_RDONLY | O_CLOEXEC);
	dir = cache_path(KEPT_FILES_DIRECTORY, &err);
	if (fd < 0 || !dir || file_sha256(fd, index.sha256, &err) < 0 ||
	    !(kept = cache_file(dir, index.sha256, &err))) {
		fprintf(stderr, "choose: %s\n", err ? err->message : "cannot read the index");
		return 1;
	}
	index.kept = kept;
	if (resolve(&index, 1, argv[2], argv[3], BASE_MINIMAL,
		    &(struct wanted){ .packages = (const char *const *)argv + 4 }, &choices,
		    &err) < 0) {
		fprintf(stderr, "choose: %s\n", err ? err->message : "out of memory");
		return 1;
	}
	printf("%zu\n", choices.count);
	choices_clear(&choices);
	return 0;
}
