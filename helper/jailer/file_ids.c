#include "helper/jailer/file_ids.h"

#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "helper/starter/ids.h"

/* Whenever an id changes, the kernel clears the parent-death signal and may make the process
 * dumpable: prctl(2), PR_SET_PDEATHSIG; the kernel's commit_creds(). */
static void take_file_ids(uid_t id)
{
	setfsgid(id);
	setfsuid(id);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		_exit(1);
}

int file_ids_for_range(void)
{
	take_file_ids(0);
	return 0;
}

void file_ids_for_caller(const int *ignored)
{
	(void)ignored;
	take_file_ids(CALLER_ID);
}
