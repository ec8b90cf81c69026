#include "helper/worker/jobs.h"

#include <string.h>

#include "helper/worker/tree/tree_jobs.h"
#include "helper/worker/unpack/unpacker.h"
#include "helper/worker/verify/verifier.h"

int worker_run(const char *what, int socket)
{
	if (strcmp(what, "verify") == 0)
		return verifier_run(socket);
	if (strcmp(what, "unpack") == 0)
		return unpacker_run(socket);
	return trees_run(what, socket);
}
