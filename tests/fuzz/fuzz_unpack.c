/* The native engine's unpacking of a .deb: nothing may be created outside the tree. */
#include "layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int parent = fuzz_dir();
	_cleanup_error_ struct error *err = NULL;
	struct layout layout;
	int fd, state;

	layout = layout_make(parent);
	words_append(&layout.filters, "-/usr/share/doc/*");
	fd = fuzz_file(data, size);
	state = package_unpack(&layout, "evil", fd, size % 2, size % 3, &err);
	if (state < 0 ? !err : state < PACKAGE_UNPACKED || state > PACKAGE_KEPT)
		abort();
	fuzz_check_outside();
	close(fd);
	layout_remove(parent, &layout);
	return 0;
}
