/* Unpacking of a .deb by the native engine, into a tree: nothing may come to lie beside it. */
#include "helper/hash.h"

#include "layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int parent = fuzz_folder();
	_cleanup_error_ struct error *err = NULL;
	uint8_t sum[SHA256_LEN];
	struct layout layout;
	int fd, state;

	hash_of(data, size, sum);
	layout = layout_make(parent);
	layout.filters.count = 1;
	snprintf(layout.filters.list[0].pattern, sizeof(layout.filters.list[0].pattern),
		 "/usr/share/doc/*");
	fd = fuzz_file(data, size);
	state = package_unpack(&layout, "evil", sum, fd, size % 2, size % 3, &err);
	if (state < 0 ? !err : state < PACKAGE_UNPACKED || state > PACKAGE_KEPT)
		abort();
	fuzz_check_outside();
	close(fd);
	layout_remove(parent, &layout);
	return 0;
}
