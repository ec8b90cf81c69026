/* helper/starter/privileges.c: writable memory of a process with few rights never becomes code
 * (PR_SET_MDWE, since Linux 6.3; with PR_MDWE_NO_INHERIT, 6.6). A tracer sees each process ask for
 * that before it loads its filters, which hide the effect in all but three. On a kernel without the
 * call, a filter that answers EINVAL in this test, they start as well. integration/privileges looks
 * for the calls in a real session. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/jailer/landlock.h"
#include "helper/starter/privileges.h"

#include "tap.h"

#define SET_MDWE 65
#define OURS 1U	  /* PR_MDWE_REFUSE_EXEC_GAIN */
#define OTHERS 3U /* and PR_MDWE_NO_INHERIT */
#define PAGE 4096
#define NOT_DROPPED 254
#define NO_NAMESPACE 255

/* FLAGS: what the process asks for. SHOWS: its list allows mprotect(PROT_EXEC). */
static const struct row {
	enum privilege_set set;
	unsigned flags;
	bool shows;
} rows[] = {
	{ PRIVILEGES_WAITER, OURS, false },  { PRIVILEGES_AUDIT, OURS, false },
	{ PRIVILEGES_PARSER, OURS, false },  { PRIVILEGES_JAILER, OTHERS, true },
	{ PRIVILEGES_JAIL, OTHERS, true },   { PRIVILEGES_TOOL, OTHERS, true },
	{ PRIVILEGES_UNPACK, OURS, false },  { PRIVILEGES_ASSEMBLER, OURS, false },
	{ PRIVILEGES_READER, OURS, false },  { PRIVILEGES_COPIER, OURS, false },
	{ PRIVILEGES_REMOVER, OURS, false },
};

/* What a tracer saw of a process until it exits. */
struct seen {
	unsigned asked; /* how often it called prctl(PR_SET_MDWE) before its first filter */
	uint64_t flags;
	int64_t result;
	int status; /* that it was about to exit with */
};

/* prctl(PR_SET_MDWE) fails from now on, as on older kernels. */
static int lose_call(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SET_MDWE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
		       ? -1
		       : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Exits with the errno of making writable memory executable, or 0. */
static _Noreturn void be_traced(const struct row *row, bool lost)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0) ||
	    (lost && lose_call() < 0))
		_exit(NO_NAMESPACE);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0)
		_exit(NOT_DROPPED);
	if (landlock_drop_privileges(row->set, -1, NULL) < 0)
		_exit(NOT_DROPPED);
	_exit(row->shows && mprotect(page, PAGE, PROT_READ | PROT_EXEC) < 0 ? errno : 0);
}

/* Notes the call that PID, in a stop at a call, begins or ends. FILTERED: it has loaded a filter.
 */
static void note_call(pid_t pid, struct seen *seen, bool *filtered)
{
	static bool asking;
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (asking)
			seen->result = info.exit.rval;
		asking = false;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (info.entry.nr == SYS_exit_group)
		seen->status = (int)info.entry.args[0];
	if (info.entry.nr != SYS_prctl)
		return;
	*filtered |= info.entry.args[0] == PR_SET_SECCOMP;
	asking = info.entry.args[0] == SET_MDWE && !*filtered;
	if (asking) {
		seen->asked++;
		seen->flags = info.entry.args[1];
	}
}

static struct seen watch(const struct row *row, bool lost)
{
	struct seen seen = { .status = NOT_DROPPED };
	bool filtered = false;
	pid_t pid = fork();
	int status, number = 0;

	if (pid == 0)
		be_traced(row, lost);
	if (pid < 0)
		return seen;
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		number = WSTOPSIG(status);
		if (number == SIGSTOP)
			ptrace(PTRACE_SETOPTIONS, pid, NULL,
			       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
		else if (number == (SIGTRAP | 0x80))
			note_call(pid, &seen, &filtered);
		ptrace(PTRACE_SYSCALL, pid, NULL,
		       number == SIGSTOP || number == (SIGTRAP | 0x80) ? 0 : number);
	}
	if (WIFEXITED(status) && number == 0)
		seen.status = WEXITSTATUS(status); /* before it was traced */
	return seen;
}

/* The errno of the call in a process with all its rights: EINVAL if the kernel lacks it. */
static int answer_of_kernel(unsigned flags)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(prctl(SET_MDWE, flags, 0, 0, 0) < 0 ? errno : 0);
	return pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : WEXITSTATUS(status);
}

static void check_row(const struct row *row)
{
	const char *name = privilege_sets[row->set].name;
	struct seen seen = watch(row, false), lost = watch(row, true);
	int answer = answer_of_kernel(row->flags);
	int refused = row->shows && seen.result == 0 ? EACCES : 0;

	if (seen.status == NO_NAMESPACE) {
		printf("ok %u - %s: memory is no code # SKIP no user namespace for this user\n",
		       ++tap_count, name);
		return;
	}
	tap_check(seen.asked == 1 && seen.flags == row->flags,
		  "%s: asks for it before its first filter, with flags %u", name, row->flags);
	tap_check((answer == 0 || answer == EINVAL) && seen.result == -answer,
		  "%s: gets it if the kernel has it", name);
	tap_check(seen.status == refused, "%s: %s", name,
		  refused ? "its memory does not become code" : "starts");
	tap_check(lost.asked == 1 && lost.result == -EINVAL && lost.status == 0,
		  "%s: starts on a kernel that lacks the call", name);
	if (seen.result < 0 || seen.status != refused || lost.status != 0)
		printf("# %d times, result %d, status %d, without the call %d\n", (int)seen.asked,
		       (int)seen.result, seen.status, lost.status);
}

int main(void)
{
	bool covered[PRIVILEGES_COUNT] = { [PRIVILEGES_FETCH] = true }; /* enters by itself */

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		check_row(&rows[i]);
		covered[rows[i].set] = true;
	}
	for (int set = 0; set < PRIVILEGES_COUNT; set++)
		tap_check(covered[set], "%s: has a row here", privilege_sets[set].name);
	return tap_done();
}
