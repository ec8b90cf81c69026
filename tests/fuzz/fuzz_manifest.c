/* A manifest, which scripts in a rootfs may have written. */
#include <unistd.h>

#include "frontend/rootfs/manifest.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest *manifest = NULL;
	int copy;

	/* A parsed manifest can be written and read again. */
	if (manifest_parse((const char *)data, size, &manifest, NULL) == 0 &&
	    manifest_write(manifest, &copy, NULL) == 0)
		close(copy);
	manifest_free(&manifest);
	return 0;
}
