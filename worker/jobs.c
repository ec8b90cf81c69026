#include "worker/jobs.h"

#include <stddef.h>
#include <string.h>

#include "worker/trees.h"
#include "worker/unpacker.h"
#include "worker/verifier.h"

int worker_run(const char *what, int socket)
{
	static const struct {
		const char *name;
		int (*run)(int socket);
	} jobs[] = {
		{ "verify", verifier_run },
		{ "unpack", unpacker_run },
		{ "count", work_count },
		{ "check-mounts", work_check_mounts },
		{ "digest", work_digest },
		{ "empty", work_empty },
		{ "clone", work_clone },
		{ "clone-to-link", work_clone_to_link },
		{ "clone-linked", work_clone_linked },
	};

	for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
		if (strcmp(what, jobs[i].name) == 0)
			return jobs[i].run(socket);
	return 2;
}
