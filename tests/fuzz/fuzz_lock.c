/* A lock file, which may come from anywhere. */
#include <stdlib.h>

#include "frontend/rootfs/lock.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest *lock = NULL, *again = NULL;
	char *text = NULL;

	/* A lock that was read can be written and read again. */
	if (lock_parse((const char *)data, size, "lock", &lock, NULL) == 0 &&
	    (lock_compose(lock, "/x", &text, NULL) < 0 ||
	     lock_parse(text, strlen(text), "lock", &again, NULL) < 0))
		abort();
	manifest_free(&lock);
	manifest_free(&again);
	free(text);
	return 0;
}
