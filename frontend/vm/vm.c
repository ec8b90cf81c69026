#include "frontend/vm/vm.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/stream.h"
#include "frontend/cli/text.h"
#include "frontend/vm/hypervisor.h"
#include "frontend/vm/vm_options.h"
#include "frontend/vm/vm_terminal.h"
#include "frontend/vm/vng.h"
#include "lib/clock.h"

#define CONSOLE_KEPT 8192
#define SHOWN_LINES 20
#define PANIC "Kernel panic - not syncing"

/* How long a guest may take to power off after its command, and to die after a panic. */
#define GRACE_SECONDS 20
#define STUCK_MS 300

/* With less, distributions' kernels and their initramfs have been seen not to start. */
#define MEMORY_USUAL (UINT64_C(256) << 20)

struct vm {
	const struct vm_config *config;
	pid_t pid;
	int pidfd, channel, console, status;
	struct stream in, out, error;
	struct vm_screen screen; /* if the command has a terminal */
	int sizes;		 /* for the guest: the terminal's; -1: none */
	bool started, announced, exited, panicked;
	int exit_status;
	int64_t deadline, grace; /* milliseconds of the monotonic clock; 0: none */
	char line[64];
	size_t line_length;
	char text[CONSOLE_KEPT + 1]; /* the console's last bytes */
	char panic[256];	     /* the panic's own line */
	size_t text_length;
};

static void vm_cleanup(struct vm *vm)
{
	vm_screen_end(&vm->screen);
	/* The channel's end ends the first process, and that one's end has waited for every other.
	 * The signal is for one that is stuck. */
	closep(&vm->channel);
	if (vm->pid > 0) {
		struct pollfd ended = { .fd = vm->pidfd, .events = POLLIN };

		if (vm->pidfd < 0 || RETRY_ON_EINTR(poll(&ended, 1, STUCK_MS)) <= 0)
			kill(vm->pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(vm->pid, NULL, 0));
	}
	closep(&vm->pidfd);
	closep(&vm->console);
	closep(&vm->status);
	closep(&vm->sizes);
	stream_close(&vm->in);
	stream_close(&vm->out);
	stream_close(&vm->error);
}

/* The pipes are made by us, not by the hypervisor: vng opens them again by their /proc names, which
 * their owner may. */
static int open_pipes(struct vm *vm, int stdio[3], struct error **err)
{
	int pipes[3][2];

	for (int i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make a pipe for the VM");
	stdio[0] = pipes[0][0];
	stdio[1] = pipes[1][1];
	stdio[2] = pipes[2][1];
	fcntl(pipes[0][1], F_SETFL, O_NONBLOCK);
	vm->in = (struct stream){ .from = STDIN_FILENO, .to = pipes[0][1], .close_to = true };
	vm->out = (struct stream){ .from = pipes[1][0], .to = STDOUT_FILENO, .close_from = true };
	vm->error = (struct stream){ .from = pipes[2][0], .to = STDERR_FILENO, .close_from = true };
	if (vm->config->output) {
		stream_close(&vm->in);
		vm->out.to = vm->error.to = -1;
		fcntl(vm->out.from, F_SETFL, O_NONBLOCK);
		fcntl(vm->error.from, F_SETFL, O_NONBLOCK);
	}
	if (vm->config->terminal) {
		/* The first pipe takes the terminal's sizes; the others carry complaints. */
		vm->sizes = pipes[0][1];
		vm->in.to = vm->in.from = -1;
		stream_close(&vm->out);
		close(pipes[1][1]);
		stdio[1] = fcntl(pipes[2][1], F_DUPFD_CLOEXEC, 3);
	}
	/* A job in the background that reads its terminal is stopped. */
	if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp())
		stream_close(&vm->in);
	return 0;
}

static int use_lines(struct vm *vm, const struct vm_lines *lines, struct error **err)
{
	vm->console = lines->console;
	vm->status = lines->status;
	if (!vm->config->terminal)
		return 0;
	vm->in = (struct stream){ STDIN_FILENO, lines->terminal_in, .close_to = true };
	vm->out = (struct stream){ lines->terminal_out, STDOUT_FILENO, .close_from = true };
	return vm_screen_begin(&vm->screen, vm->sizes, err);
}

static int vm_start(struct vm *vm, struct error **err)
{
	int stdio[3] = { -1, -1, -1 };
	struct vm_lines lines;
	int channels[2];

	if (open_pipes(vm, stdio, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channels) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make a socket for the VM");
	vm->channel = channels[0];
	vm->pid = fork();
	if (vm->pid == 0)
		hypervisor_main(vm->config, stdio, channels[1]);
	close(channels[1]);
	for (int i = 0; i < 3; i++)
		closep(&stdio[i]);
	if (vm->pid < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start a process for the VM");
	vm->pidfd = (int)syscall(SYS_pidfd_open, vm->pid, 0);
	if (vm->pidfd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot watch the VM");
	if (hypervisor_wait(vm->channel, &lines, err) < 0)
		return -1;
	return use_lines(vm, &lines, err);
}

static void keep_console(struct vm *vm, const char *data, size_t size)
{
	if (vm->text_length + size > CONSOLE_KEPT) {
		size_t gone = vm->text_length + size - CONSOLE_KEPT;

		memmove(vm->text, vm->text + gone, vm->text_length - gone);
		vm->text_length -= gone;
	}
	for (size_t i = 0; i < size; i++)
		if (data[i] != '\r')
			vm->text[vm->text_length++] = data[i] ? data[i] : ' ';
	vm->text[vm->text_length] = '\0';
}

/* A panic prints whatever the log level is, and that line may scroll out of what is kept. */
static void find_panic(struct vm *vm)
{
	const char *panic = strstr(vm->text, PANIC);

	if (!panic || strchr(vm->panic, '\n'))
		return;
	if (!vm->panicked)
		vm->grace = clock_milliseconds() + GRACE_SECONDS * 1000;
	vm->panicked = true;
	snprintf(vm->panic, sizeof(vm->panic), "%.*s", (int)strcspn(panic, "\n") + 1, panic);
}

/* One block, and false where there is none: a guest that never stops writing must not keep us from
 * the clock, nor from Ctrl-C. */
static bool read_console(struct vm *vm)
{
	char data[CONSOLE_KEPT / 4];
	ssize_t size = read(vm->console, data, sizeof(data));

	if (size <= 0)
		return false;
	keep_console(vm, data, (size_t)size);
	find_panic(vm);
	if (vm->config->console)
		vm->config->console(data, (size_t)size, vm->config->context);
	return true;
}

/* What the command prints, where the caller takes it. */
static bool read_output(struct vm *vm, struct stream *s, int fd)
{
	char data[CONSOLE_KEPT / 4];
	ssize_t size = s->from < 0 ? -1 : read(s->from, data, sizeof(data));

	if (size > 0)
		vm->config->output(fd, data, (size_t)size, vm->config->context);
	else if (size == 0)
		stream_close(s);
	return size > 0;
}

static void take_status(struct vm *vm)
{
	int status;
	char extra;

	if (strcmp(vm->line, "started") == 0) {
		vm->started = true;
	} else if (sscanf(vm->line, "exit %d%c", &status, &extra) == 1 && status >= 0 &&
		   status <= 255 && !vm->exited) {
		vm->exited = true;
		vm->exit_status = status;
		vm->grace = clock_milliseconds() + GRACE_SECONDS * 1000;
	}
}

/* Likewise. Written by the guest, which may write anything. */
static bool read_status(struct vm *vm)
{
	char data[256];
	ssize_t size = read(vm->status, data, sizeof(data));

	for (ssize_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			vm->line[vm->line_length] = '\0';
			take_status(vm);
			vm->line_length = 0;
		} else if (data[i] != '\r' && vm->line_length < sizeof(vm->line) - 1) {
			vm->line[vm->line_length++] = data[i];
		}
	}
	return size > 0;
}

static int time_left(const struct vm *vm)
{
	int64_t end =
		vm->grace && (!vm->deadline || vm->grace < vm->deadline) ? vm->grace : vm->deadline;
	int64_t left = end - clock_milliseconds();

	if (!end)
		return -1;
	return left < 0 ? 0 : (int)left;
}

/* How long to wait for the next event: for the VM's own time, or the caller's. */
static int time_to_wait(const struct vm *vm, int wanted)
{
	int left = time_left(vm);

	return wanted >= 0 && (left < 0 || wanted < left) ? wanted : left;
}

static void serve_output(struct vm *vm, const struct pollfd *out, const struct pollfd *error)
{
	if (vm->config->output) {
		read_output(vm, &vm->out, STDOUT_FILENO);
		read_output(vm, &vm->error, STDERR_FILENO);
		return;
	}
	stream_serve(&vm->out, out);
	stream_serve(&vm->error, error);
}

/* Returns false if the user ends the VM. */
static bool serve_input(struct vm *vm, const struct pollfd *in)
{
	if (vm->config->terminal && !vm_screen_read_keys(&vm->screen, &vm->in, in))
		return false;
	stream_serve(&vm->in, in);
	return true;
}

/* Standard output and the status come by ways of their own: whichever is first. The end of a pipe
 * (POLLHUP) is that of the VM. */
static void vm_announce(struct vm *vm, const struct pollfd *out, const struct pollfd *error)
{
	if (vm->announced || !(vm->started || (out->revents | error->revents) & POLLIN))
		return;
	vm->announced = true;
	if (vm->config->terminal)
		vm_screen_make_raw(&vm->screen);
	if (vm->config->started)
		vm->config->started(vm->config->context);
}

static int check_output(const struct vm *vm, struct error **err)
{
	int broken = vm->out.broken ? vm->out.broken : vm->error.broken;

	if (!broken)
		return 0;
	if (broken == EPIPE || broken == EIO)
		return error_set(err, ERR_INTERRUPTED,
				 "the VM was stopped: nobody reads its output any more");
	errno = broken;
	return error_errno(err, ERR_MISSING, "the VM was stopped: cannot write to standard %s",
			   vm->out.broken ? "output" : "error");
}

/* Serves the VM until it ends by itself (0), its time is over (1), or the caller wants it (2). */
static int vm_serve(struct vm *vm, struct error **err)
{
	enum { IN, OUT, ERROR, CONSOLE, STATUS, ENDED, SIGNALS, RESIZED, POLLED };
	int wanted = -1;

	for (;;) {
		struct pollfd polled[POLLED] = {
			[CONSOLE] = { .fd = vm->console, .events = POLLIN },
			[STATUS] = { .fd = vm->status, .events = POLLIN },
			[ENDED] = { .fd = vm->pidfd, .events = POLLIN },
			[SIGNALS] = { .fd = interrupt_fd(), .events = POLLIN },
			[RESIZED] = { .fd = vm->screen.resized, .events = POLLIN },
		};

		/* Until the command begins, another boot may need what is there. */
		if (vm->announced)
			stream_prepare(&vm->in, &polled[IN]);
		else
			polled[IN].fd = -1;
		stream_prepare(&vm->out, &polled[OUT]);
		stream_prepare(&vm->error, &polled[ERROR]);
		if (poll(polled, POLLED, time_to_wait(vm, wanted)) < 0 && errno != EINTR)
			return error_errno(err, ERR_SYSTEM, "cannot wait for the VM");
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "the VM was stopped by a signal");
		read_status(vm);
		vm_announce(vm, &polled[OUT], &polled[ERROR]);
		if (polled[RESIZED].revents)
			vm_screen_resize(&vm->screen);
		if (!serve_input(vm, &polled[IN]))
			return error_set(err, ERR_INTERRUPTED, "the VM was stopped by ~.");
		serve_output(vm, &polled[OUT], &polled[ERROR]);
		/* The guest would wait for ever for room in a pipe that nobody empties. */
		if (check_output(vm, err) < 0)
			return -1;
		read_console(vm);
		if (polled[ENDED].revents)
			return 0;
		if (time_left(vm) == 0)
			return 1;
		if (vm->config->watch && (wanted = vm->config->watch(vm->config->context)) == 0)
			return 2;
	}
}

/* The last lines of the console, or nothing where it is empty. */
static const char *find_last_lines(const struct vm *vm)
{
	const char *p = vm->text + vm->text_length;

	for (int lines = 0; p > vm->text; p--)
		if (p[-1] == '\n' && ++lines > SHOWN_LINES)
			break;
	return p;
}

/* The guest wrote it: what could drive the terminal it is shown on becomes '?'. */
static void copy_last_lines(const struct vm *vm, struct vm_result *result)
{
	const char *lines = find_last_lines(vm);
	size_t length = strlen(lines);
	size_t room = sizeof(result->console) - 1;

	if (length > room)
		lines += length - room;
	snprintf(result->console, sizeof(result->console), "%s", lines);
	text_clean_lines(result->console);
}

/* Why a boot may have come to nothing. */
static void explain_boot(const struct vm *vm, char *text, size_t size)
{
	const struct kernel *k = vm->config->kernel;
	uint64_t memory = parse_size(vm->config->memory, true);
	size_t length = 0;

	*text = '\0';
	if (vm->started)
		return;
	if (memory < MEMORY_USUAL)
		length = (size_t)snprintf(text, size,
					  "; %s may be too little to boot with: see --memory",
					  vm->config->memory);
	if (!k->modules && !k->build && length < size)
		snprintf(text + length, size - length,
			 "; no modules of this kernel were found (lib/modules/%s beside the image "
			 "or "
			 "above it), and it may lack what is not built in",
			 k->version ? k->version : "VERSION");
}

/* Panics of a kernel that has waited for something too long, by its own clock. */
static const char *const transient[] = {
	"IO-APIC + timer doesn't work",
	"softlockup: hung tasks",
	"hung_task: blocked tasks",
};

/* Whether another boot may go better. An emulated guest with two processors was seen to reset on a
 * busy host, in the middle of its boot and without a panic. LATE as serve() has it. */
static bool is_transient(const struct vm *vm, int late)
{
	if (vm->started || vm->exited)
		return false;
	if (!vm->panicked)
		return !late && vm->text_length > 0; /* without text no kernel has run */
	for (size_t i = 0; i < sizeof(transient) / sizeof(*transient); i++)
		if (strstr(vm->panic, transient[i]))
			return true;
	return false;
}

/* What the VM's end means. LATE as serve() has it. */
static int vm_judge(const struct vm *vm, int late, struct vm_result *result, struct error **err)
{
	char hint[320];

	explain_boot(vm, hint, sizeof(hint));
	result->started = vm->started;
	result->panicked = vm->panicked;
	if (vm->panicked)
		return error_set(err, ERR_SYSTEM,
				 vm->started ? "the kernel failed while the command ran: %.*s%s"
					     : "the kernel failed at boot: %.*s%s",
				 (int)strcspn(vm->panic, "\n"), vm->panic, hint);
	result->ended = late == 2;
	if (vm->exited) {
		result->status = vm->exit_status;
		return 0;
	}
	if (late) {
		/* Only a boot that did not end is explained by its console. */
		if (vm->started)
			result->console[0] = '\0';
		result->timed_out = late == 1;
		return 0;
	}
	return error_set(err, ERR_SYSTEM, "the VM ended %s%s",
			 vm->started ? "before the command did"
				     : "before its kernel could run the command",
			 hint);
}

static void vm_drain(struct vm *vm)
{
	if (!vm->config->output) {
		stream_drain(&vm->out);
		stream_drain(&vm->error);
	}
	/* Nobody writes any more: what is left in the lines has an end. */
	while (read_console(vm) || read_status(vm) ||
	       (vm->config->output && (read_output(vm, &vm->out, STDOUT_FILENO) ||
				       read_output(vm, &vm->error, STDERR_FILENO))))
		;
}

/* An image is the last of the disks, so that the others have the same names whatever the root is.
 */
static int add_root_disk(struct vm_config *config, struct vm_disk disks[static VM_DISKS_MAX],
			 struct error **err)
{
	if (config->root.kind != VM_ROOT_IMAGE)
		return 0;
	if (config->disk_count >= VM_DISKS_MAX)
		return error_set(err, ERR_INPUT, "more than %d disks", VM_DISKS_MAX - 1);
	if (config->disk_count)
		memcpy(disks, config->disks, config->disk_count * sizeof(*disks));
	disks[config->disk_count++] = (struct vm_disk){ .name = "rootlet-root",
							.path = config->root.path,
							.read_only = true };
	config->disks = disks;
	return 0;
}

/* One boot. AGAIN is set where another one is worth it. DEADLINE as in struct vm. */
static int vm_boot(const struct vm_config *config, int64_t deadline, struct vm_result *result,
		   bool *again, struct error **err)
{
	_cleanup_(vm_cleanup) struct vm vm = {
		.config = config,
		.pidfd = -1,
		.channel = -1,
		.console = -1,
		.status = -1,
		.sizes = -1,
		.screen.resized = -1,
		.deadline = deadline,
	};
	int late;

	vm.in.from = vm.in.to = vm.out.from = vm.out.to = vm.error.from = vm.error.to = -1;
	*result = (struct vm_result){ 0 };
	if (vm_start(&vm, err) < 0)
		return -1;
	late = vm_serve(&vm, err);
	if (late < 0)
		return -1;
	vm_drain(&vm);
	if (check_output(&vm, err) < 0)
		return -1;
	vm_screen_end(&vm.screen);
	copy_last_lines(&vm, result);
	*again = (!deadline || clock_milliseconds() < deadline) && is_transient(&vm, late);
	return vm_judge(&vm, late, result, err);
}

int vm_run(const struct vm_config *given, struct vm_result *result, struct error **err)
{
	_cleanup_free_ char *script = NULL;
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_config config = *given;
	int64_t deadline =
		config.timeout ? clock_milliseconds() + (int64_t)config.timeout * 1000 : 0;
	_cleanup_error_ struct error *first = NULL;
	bool again = false;
	int status;

	*result = (struct vm_result){ 0 };
	interrupt_catch();
	signal(SIGPIPE, SIG_IGN);
	config.script = script = vng_guest_script(&config, err);
	if (!script || add_root_disk(&config, disks, err) < 0)
		return -1;
	status = vm_boot(&config, deadline, result, &again, &first);
	if (again) {
		if (config.again)
			config.again(first->message, config.context);
		error_free(&first);
		status = vm_boot(&config, deadline, result, &again, &first);
	}
	*err = STEAL_PTR(first);
	return status;
}
