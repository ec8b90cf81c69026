#include "frontend/vm/vm_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifdef __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

/* Since Linux 6.6; the same number on all architectures. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* Numbers from here on are x32 variants of the same calls. Source: asm/unistd.h. */
#define X32_FIRST 0x40000000

#define ELEVATING (S_ISUID | S_ISGID)
/* O_TMPFILE includes the bit of O_DIRECTORY, which alone creates nothing. */
#define CREATING (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
/* CLONE_NEWTIME overlaps the byte that holds the signal number in clone(). */
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* A call is refused if all its conditions hold. */
struct filter_rule {
	int number;
	uint32_t answer; /* errno */
	struct condition {
		unsigned int argument; /* from 1; 0 for no condition */
		uint32_t bits; /* matches if any is set in the lower half, which holds all flags */
	} conditions[2];
};

/* The first group is the same as in systemd's RestrictSUIDSGID. openat2 and clone3 have their flags
 * in memory, where no filter can read them; on ENOSYS their callers fall back to the older calls.
 * io_uring opens files and creates sockets without passing any filter. The kernel's keyrings hold
 * tickets and keys of the caller's session. */
static const struct filter_rule rules[] = {
#ifdef SYS_chmod
	{ SYS_chmod, EPERM, { { 2, ELEVATING } } },
	{ SYS_creat, EPERM, { { 2, ELEVATING } } },
	{ SYS_mkdir, EPERM, { { 2, ELEVATING } } },
	{ SYS_mknod, EPERM, { { 2, ELEVATING } } },
	{ SYS_open, EPERM, { { 2, CREATING }, { 3, ELEVATING } } },
#endif
	{ SYS_fchmod, EPERM, { { 2, ELEVATING } } },
	{ SYS_fchmodat, EPERM, { { 3, ELEVATING } } },
	{ SYS_fchmodat2, EPERM, { { 3, ELEVATING } } },
	{ SYS_mkdirat, EPERM, { { 3, ELEVATING } } },
	{ SYS_mknodat, EPERM, { { 3, ELEVATING } } },
	{ SYS_openat, EPERM, { { 3, CREATING }, { 4, ELEVATING } } },
	{ SYS_openat2, ENOSYS, { { 0 } } },
	{ SYS_io_uring_setup, EPERM, { { 0 } } },

	{ SYS_unshare, EPERM, { { 1, NAMESPACES | CLONE_NEWTIME } } },
	{ SYS_clone, EPERM, { { 1, NAMESPACES } } },
	{ SYS_clone3, ENOSYS, { { 0 } } },

	{ SYS_add_key, EPERM, { { 0 } } },
	{ SYS_request_key, EPERM, { { 0 } } },
	{ SYS_keyctl, EPERM, { { 0 } } },
};

#define RULES (sizeof(rules) / sizeof(*rules))
#define PROGRAM_MOST (16 + 8 * RULES)

struct filter_program {
	struct sock_filter line[PROGRAM_MOST];
	unsigned short length;
};

static void vm_filter_add_line(struct filter_program *p, struct sock_filter line)
{
	if (p->length < PROGRAM_MOST)
		p->line[p->length++] = line;
}

/* Both architectures are little-endian: the lower half comes first. */
static void vm_filter_add_load(struct filter_program *p, unsigned int argument)
{
	size_t offset = argument ? offsetof(struct seccomp_data, args[argument - 1])
				 : offsetof(struct seccomp_data, nr);

	vm_filter_add_line(
		p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void add_answer(struct filter_program *p, uint32_t answer)
{
	vm_filter_add_line(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

/* On entry to a rule, and on fallthrough from it, the accumulator holds the call number. */
static void vm_filter_add_rule(struct filter_program *p, const struct filter_rule *rule)
{
	size_t conditions = 0;
	uint8_t rest;

	while (conditions < 2 && rule->conditions[conditions].argument)
		conditions++;
	/* Skips two instructions per condition, the answer, and the reload of the number. */
	rest = (uint8_t)(2 * conditions + (conditions ? 2 : 1));
	vm_filter_add_line(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   (uint32_t)rule->number, 0, rest));
	for (size_t i = 0; i < conditions; i++) {
		vm_filter_add_load(p, rule->conditions[i].argument);
		/* Jumps past the answer, to the reload of the number. */
		vm_filter_add_line(p, (struct sock_filter)BPF_JUMP(
					      BPF_JMP | BPF_JSET | BPF_K, rule->conditions[i].bits,
					      0, (uint8_t)(2 * (conditions - i - 1) + 1)));
	}
	add_answer(p, SECCOMP_RET_ERRNO | rule->answer);
	if (conditions)
		vm_filter_add_load(p, 0);
}

/* A read-only mount does not stop connections to sockets in it. The network is the VM's own and
 * empty; socketpair() stays allowed. */
static void add_sockets(struct filter_program *p, bool unix_sockets)
{
	vm_filter_add_line(
		p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3));
	vm_filter_add_load(p, 1);
	vm_filter_add_line(p,
			   (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							unix_sockets ? AF_UNIX : UINT32_MAX, 1, 0));
	add_answer(p, SECCOMP_RET_ERRNO | EPERM);
	add_answer(p, SECCOMP_RET_ALLOW);
}

int vm_filter_install(bool unix_sockets, struct error **err)
{
	struct filter_program p = { .length = 0 };
	struct sock_fprog filter = { .filter = p.line };

	vm_filter_add_line(&p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							    offsetof(struct seccomp_data, arch)));
	vm_filter_add_line(
		&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0));
	add_answer(&p, SECCOMP_RET_KILL_PROCESS);
	vm_filter_add_load(&p, 0);
	vm_filter_add_line(
		&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_FIRST, 0, 1));
	add_answer(&p, SECCOMP_RET_ERRNO | EPERM);
	for (size_t i = 0; i < RULES; i++)
		vm_filter_add_rule(&p, &rules[i]);
	add_sockets(&p, unix_sockets);
	filter.len = p.length;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		return error_errno(err, ERR_HOST,
				   "cannot filter system calls; the kernel needs "
				   "CONFIG_SECCOMP_FILTER");
	return 0;
}
