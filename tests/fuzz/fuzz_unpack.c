/* Unpacking of a .deb by the native engine, into a tree: nothing may come to lie beside it. */
#include "helper/hash.h"

#include "layout.h"

static char outer[] = "/dev/shm/fuzz-unpack.XXXXXX";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int parent = -1;
	_cleanup_error_ struct error *err = NULL;
	uint8_t sum[SHA256_LEN];
	struct layout layout;
	int fd, state;

	if (parent < 0)
		parent = fuzz_folder(outer);
	hash_of(data, size, sum);
	layout = layout_make(parent);
	layout.filters.count = 1;
	snprintf(layout.filters.list[0].pattern, sizeof(layout.filters.list[0].pattern),
		 "/usr/share/doc/*");
	fd = fuzz_file(data, size);
	state = package_unpack(&layout, "evil", sum, fd, size % 2, size % 3, &err);
	if (state < 0 ? !err : state < PACKAGE_UNPACKED || state > PACKAGE_KEPT)
		abort();
	fuzz_check_outside(outer);
	close(fd);
	layout_remove(parent, &layout);
	return 0;
}
