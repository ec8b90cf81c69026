/* deny ERRNO PROGRAM [ARGUMENT…]: runs PROGRAM without the ability to create user namespaces, as on
 * a host that forbids them: unshare, clone and clone3 with CLONE_NEWUSER fail. deny landlock
 * PROGRAM [ARGUMENT…]: runs it as on a kernel without Landlock. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A filter cannot see clone3's flags; without it, libraries use clone. */
static int deny_namespaces(scmp_filter_ctx filter, unsigned number)
{
	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(number), SCMP_SYS(unshare), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)) < 0)
		return -1;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(number), SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
}

static int deny_landlock(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS_landlock_create_ruleset, 0);
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool landlock = argc > 2 && strcmp(argv[1], "landlock") == 0;
	unsigned number = argc > 2 && !landlock ? (unsigned)atoi(argv[1]) : 0;

	if (!filter || (!number && !landlock)) {
		fprintf(stderr, "usage: deny ERRNO|landlock PROGRAM [ARGUMENT…]\n");
		return 2;
	}
	/* A filter installed by root keeps newuidmap's setuid bit effective. */
	if (geteuid() == 0)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if ((landlock ? deny_landlock(filter) : deny_namespaces(filter, number)) < 0 ||
	    seccomp_load(filter) < 0) {
		fprintf(stderr, "deny: cannot load the filter\n");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
