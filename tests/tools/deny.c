/* deny ERRNO PROGRAM [ARGUMENT…]: runs PROGRAM where a user namespace cannot be made, as on a host
 * that forbids them: unshare, clone and clone3 with CLONE_NEWUSER fail. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	unsigned number = argc > 2 ? (unsigned)atoi(argv[1]) : 0;

	if (!filter || !number) {
		fprintf(stderr, "usage: deny ERRNO PROGRAM [ARGUMENT…]\n");
		return 2;
	}
	/* clone3's flags cannot be seen; without it libraries take clone. */
	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(number), SCMP_SYS(unshare), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(number), SCMP_SYS(clone), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)) < 0 ||
	    seccomp_load(filter) < 0) {
		fprintf(stderr, "deny: cannot load the filter\n");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
