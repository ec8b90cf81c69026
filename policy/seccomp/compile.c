/* At build time: turns the lists into the filters that rootlet-helper loads, as a C header on
 * standard output. So there is no compiler of filters in the helper.
 *
 *   compile [SET CALL]   as if SET did not list CALL: for tests
 *
 * Sources: seccomp(2), seccomp_export_bpf(3). */
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/privilege_sets.h"
#include "proto/standard.h"

/* Any number above what libseccomp knows: calls newer than that "do not exist". */
#define CALL_NUMBERS 1024

static const char *without_set = "", *without_call = "";

static bool is_listed(const struct privileges *p, const char *name)
{
	return privileges_list(p, name) &&
	       (strcmp(without_set, p->name) != 0 || strcmp(without_call, name) != 0);
}

/* One rule for each call that libseccomp knows: allowed, a success that does nothing, or EPERM. */
static int add_calls(scmp_filter_ctx filter, const struct privileges *p)
{
	int r = 0;

	for (int number = 0; number < CALL_NUMBERS && r == 0; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (!name)
			continue;
		/* clone3's flags lie in memory, where a filter cannot look: libraries fall back. */
		if (p->contained && privileges_sync_call(name))
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), number, 0);
		else if (is_listed(p, name))
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		else if (!p->kill && strcmp(name, "clone3") != 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
		free(name);
	}
	return r;
}

static int add_sockets(scmp_filter_ctx filter, unsigned int last)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				 SCMP_A0(SCMP_CMP_GT, last));

	for (unsigned int family = 0; r == 0 && family < last; family++)
		if (family != AF_UNIX)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
					     1, SCMP_A0(SCMP_CMP_EQ, family));
	return r;
}

/* What a list cannot say. The jailer, before it starts a jail, brings up its loopback by netlink.
 * Masks of 32 bits, as the kernel looks at no more of these arguments than that. */
static int add_arguments(scmp_filter_ctx filter, const struct privileges *p)
{
	static const uint64_t namespaces[] = { CLONE_NEWUSER,  CLONE_NEWNS,  CLONE_NEWPID,
					       CLONE_NEWNET,   CLONE_NEWIPC, CLONE_NEWUTS,
					       CLONE_NEWCGROUP };
	/* Typing for the terminal's owner; and subvolumes, which can be such that nobody but the
	 * host's root could remove them. */
	static const uint64_t ioctls[] = {
		TIOCSTI,
		TIOCLINUX,
		BTRFS_IOC_SUBVOL_CREATE,
		BTRFS_IOC_SUBVOL_CREATE_V2,
		BTRFS_IOC_SNAP_CREATE,
		BTRFS_IOC_SNAP_CREATE_V2,
		BTRFS_IOC_SUBVOL_SETFLAGS,
	};
	int r = add_sockets(filter, p->contained ? AF_UNIX : AF_NETLINK);

	if (!p->contained)
		return r;
	for (size_t i = 0; r == 0 && i < sizeof(namespaces) / sizeof(*namespaces); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	for (size_t i = 0; r == 0 && i < sizeof(ioctls) / sizeof(*ioctls); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, ioctls[i]));
	return r;
}

/* Prints FILTER, which has failed before where R is below 0, as an array. */
static int print(scmp_filter_ctx filter, int r, const struct privileges *p, const char *what)
{
	int fd = memfd_create("filter", 0);
	struct sock_filter one;

	if (fd < 0)
		r = -errno;
	if (r == 0)
		r = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	printf("static struct sock_filter %s_%s[] = {\n", p->name, what);
	while (r == 0 && read(fd, &one, sizeof(one)) == sizeof(one))
		printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", one.code, one.jt, one.jf, one.k);
	printf("};\n\n");
	close(fd);
	return r;
}

static int print_list(const struct privileges *p)
{
	scmp_filter_ctx filter =
		seccomp_init(p->kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));

	if (!filter)
		return -ENOMEM;
	/* A binary tree of numbers in place of a chain: the filter runs at every call. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return print(filter, add_calls(filter, p), p, "list");
}

static int print_arguments(const struct privileges *p)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	return filter ? print(filter, add_arguments(filter, p), p, "arguments") : -ENOMEM;
}

/* By enum privilege_set. */
static void print_table(const char *name, const char *what)
{
	printf("static const struct sock_fprog %s[] = {\n", name);
	for (const struct privileges *p = privilege_sets; p < privilege_sets + PRIVILEGES_COUNT;
	     p++)
		printf("\t{ sizeof(%s_%s) / sizeof(*%s_%s), %s_%s },\n", p->name, what, p->name,
		       what, p->name, what);
	printf("};\n");
}

int main(int argc, char **argv)
{
	int r = 0;

	standard_descriptors_open();
	if (argc == 3) {
		without_set = argv[1];
		without_call = argv[2];
	}
	printf("#pragma once\n\n#include <linux/filter.h>\n\n");
	for (size_t i = 0; r == 0 && i < PRIVILEGES_COUNT; i++) {
		r = print_arguments(&privilege_sets[i]);
		if (r == 0)
			r = print_list(&privilege_sets[i]);
	}
	print_table("argument_filters", "arguments");
	print_table("list_filters", "list");
	if (r < 0 || fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "compile: %s\n", strerror(r < 0 ? -r : errno));
		return 1;
	}
	return 0;
}
