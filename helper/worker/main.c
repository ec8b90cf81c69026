#include <stdio.h>
#include <sys/prctl.h>

#include "helper/worker/jobs.h"

int main(int argc, char **argv)
{
	/* execve(2) has made the process dumpable again. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return 1;
	if (argc == 2)
		return worker_run(argv[1], 3);
	fprintf(stderr,
		"rootlet-worker is started by rootlet-helper, not by hand; run: rootlet --help\n");
	return 2; /* as for an unknown job */
}
