/* At build time: compiles the lists into the filters that rootlet-helper loads, and prints them as
 * a C header. So the helper contains no compiler of filters.
 *
 *   compile [SET CALL]   as if CALL were not listed for SET: for tests
 *
 * Sources: seccomp(2), seccomp_export_bpf(3). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/standard_descriptors.h"
#include "policy/privilege_rules.h"

/* Above every number that libseccomp knows: newer calls "do not exist". */
#define CALL_NUMBERS 1024

static const char *without_set = "", *without_call = "";

static bool compile_is_listed(const struct privileges *p, const char *name)
{
	return privileges_list(p, name) &&
	       (strcmp(without_set, p->name) != 0 || strcmp(without_call, name) != 0);
}

/* Adds a rule for each call that libseccomp knows: allowed, a success without effect, or EPERM. */
static int add_calls(scmp_filter_ctx filter, const struct privileges *p)
{
	int r = 0;

	for (int number = 0; number < CALL_NUMBERS && r == 0; number++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

		if (!name)
			continue;
		/* clone3's flags are in memory, where a filter cannot see them: libraries fall back
		 * to clone. */
		if (p->contained && privileges_sync_call(name))
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), number, 0);
		else if (compile_is_listed(p, name))
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		else if (!p->kill && strcmp(name, "clone3") != 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
		free(name);
	}
	return r;
}

/* Room for a filter; if it is full, the lists are wrong. */
struct compiled_program {
	struct sock_filter steps[BPF_MAXINSNS];
	size_t count;
};

#define JUMP_MAX 255 /* steps that a condition can skip */
#define NUMBER offsetof(struct seccomp_data, nr)

/* A condition skips YES or NO steps. */
static void add_step(struct compiled_program *p, unsigned code, unsigned value, size_t yes,
		     size_t no)
{
	if (p->count < BPF_MAXINSNS && yes <= JUMP_MAX && no <= JUMP_MAX)
		p->steps[p->count++] =
			(struct sock_filter){ (uint16_t)code, (uint8_t)yes, (uint8_t)no, value };
	else
		p->count = BPF_MAXINSNS;
}

static void compile_add_load(struct compiled_program *p, size_t offset)
{
	add_step(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void add_load_half(struct compiled_program *p, unsigned argument, bool upper)
{
	size_t half = upper == (__BYTE_ORDER == __LITTLE_ENDIAN) ? 4 : 0;

	compile_add_load(p, offsetof(struct seccomp_data, args) + 8 * argument + half);
}

static void add_return(struct compiled_program *p, unsigned answer)
{
	add_step(p, BPF_RET | BPF_K, answer, 0, 0);
}

/* The answer to a refused argument: that of a kernel or a file without this feature. */
static unsigned refusal(const struct privileges *p, const char *call)
{
	static const struct {
		const char *call;
		unsigned error;
	} errors[] = {
		{ "socket", EAFNOSUPPORT },    { "socketpair", EAFNOSUPPORT },
		{ "ioctl", ENOTTY },	       { "prctl", EINVAL },
		{ "arch_prctl", EINVAL },      { "getsockopt", ENOPROTOOPT },
		{ "setsockopt", ENOPROTOOPT },
	};

	if (p->kill)
		return SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(errors[i].call, call) == 0)
			return SECCOMP_RET_ERRNO | errors[i].error;
	return SECCOMP_RET_ERRNO | EPERM;
}

/* Continues if one of the set's lists allows the argument of RULE, else refuses the call. The
 * accumulator holds the call's number before and after. */
static void compile_add_rule(struct compiled_program *program, const struct privileges *p,
			     const struct argument_rule *rule, int number)
{
	unsigned values[JUMP_MAX], bits = 0;
	size_t count = 0;

	for (const struct call_list *const *list = privileges_lists(p); *list; list++) {
		const struct argument_rule *r = privileges_rule(*list, rule);

		for (const struct argument_value *v = r ? r->values : NULL; v && v->name; v++) {
			bits |= v->value;
			if (count < JUMP_MAX)
				values[count++] = v->value;
		}
	}
	if (rule->bits)
		count = 1;
	add_step(program, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, count + 3);
	add_load_half(program, rule->argument, false);
	if (rule->bits)
		add_step(program, BPF_JMP | BPF_JSET | BPF_K, ~bits, 0, 1);
	else
		for (size_t i = 0; i < count; i++)
			add_step(program, BPF_JMP | BPF_JEQ | BPF_K, values[i], count - i, 0);
	add_return(program, refusal(p, rule->call));
	compile_add_load(program, NUMBER);
}

/* A limit of 1 keeps the kernel from passing crashes to the host's handler: core(5). It must stay:
 * setting it has no effect, and setting it while asking for the old one in the same call is
 * refused. */
static void add_core_limit(struct compiled_program *p)
{
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_setrlimit, 0, 4);
	add_load_half(p, 0, false);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_CORE, 0, 1);
	add_return(p, SECCOMP_RET_ERRNO);
	compile_add_load(p, NUMBER);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 13);
	add_load_half(p, 1, false);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_CORE, 0, 10);
	add_load_half(p, 2, false);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
	add_load_half(p, 2, true);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, 0);
	add_load_half(p, 3, false);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
	add_load_half(p, 3, true);
	add_step(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
	add_return(p, SECCOMP_RET_ERRNO);
	add_return(p, SECCOMP_RET_ERRNO | EPERM);
	compile_add_load(p, NUMBER);
}

/* The other filter checks the architecture; for each call, the kernel takes the strictest
 * answer. */
static int add_arguments(struct compiled_program *program, const struct privileges *p)
{
	compile_add_load(program, NUMBER);
	for (const struct call_list *const *list = privileges_lists(p); *list; list++)
		for (const struct argument_rule *r = (*list)->arguments; r->call; r++) {
			int number = seccomp_syscall_resolve_name(r->call);

			if (number >= 0 && privileges_is_first(p, r))
				compile_add_rule(program, p, r, number);
		}
	if (p->contained && !p->kill)
		add_core_limit(program);
	add_return(program, SECCOMP_RET_ALLOW);
	return program->count < BPF_MAXINSNS ? 0 : -E2BIG;
}

static void print_step(const struct sock_filter *step)
{
	printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", step->code, step->jt, step->jf, step->k);
}

/* Prints FILTER as an array, unless an earlier step failed (R < 0). */
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
		print_step(&one);
	printf("};\n\n");
	close(fd);
	return r;
}

static int compile_print_list(const struct privileges *p)
{
	scmp_filter_ctx filter =
		seccomp_init(p->kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));

	if (!filter)
		return -ENOMEM;
	/* A binary tree of numbers instead of a chain, because the filter runs at every call. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return print(filter, add_calls(filter, p), p, "list");
}

static int print_arguments(const struct privileges *p)
{
	static struct compiled_program program;
	int r;

	program.count = 0;
	r = add_arguments(&program, p);
	printf("static struct sock_filter %s_arguments[] = {\n", p->name);
	for (size_t i = 0; i < program.count; i++)
		print_step(&program.steps[i]);
	printf("};\n\n");
	return r;
}

/* Indexed by enum privilege_set. */
static void compile_print_table(const char *name, const char *what)
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
			r = compile_print_list(&privilege_sets[i]);
	}
	compile_print_table("argument_filters", "arguments");
	compile_print_table("list_filters", "list");
	if (r < 0 || fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "compile: %s\n", strerror(r < 0 ? -r : errno));
		return 1;
	}
	return 0;
}
