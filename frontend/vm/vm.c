#include "frontend/vm/overlay.h"
#include "frontend/vm/vm.h"

#include <fcntl.h>
#include <inttypes.h>
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
#include "frontend/vm/boot_limit.h"
#include "frontend/vm/debugger.h"
#include "frontend/vm/disk_room.h"
#include "frontend/vm/hypervisor.h"
#include "frontend/vm/memory_dump.h"
#include "frontend/vm/vm_options.h"
#include "frontend/vm/vm_terminal.h"
#include "frontend/vm/vng.h"
#include "lib/clock.h"

#define CONSOLE_KEPT 8192
#define SHOWN_LINES 20
#define PANIC "Kernel panic - not syncing"

/* How long a guest may take to power off after its command, or to die after a panic. */
#define GRACE_SECONDS 20
#define STUCK_MS 300
#define DRAIN_BLOCKS 256 /* of a VM that may go on writing */

/* Distribution kernels and their initramfs have been seen to fail with less. */
#define MEMORY_USUAL (UINT64_C(256) << 20)

struct vm {
	const struct vm_config *config;
	pid_t pid;
	int pidfd, channel, console, status;
	struct stream in, out, error;
	struct vm_screen screen; /* used if the command has a terminal */
	int sizes;		 /* pipe that sends the terminal's sizes to the guest; -1 if none */
	bool started, announced, exited, panicked;
	int exit_status;
	int64_t deadline, grace; /* milliseconds of the monotonic clock; 0 if none */
	int64_t seen;		 /* when the deadlines were last looked at */
	struct boot_limit boot;
	struct debugger debugger;
	struct memory_dump dump;
	int64_t look; /* when to look at the room for the disks next */
	char line[64];
	size_t line_length;
	char text[CONSOLE_KEPT + 1]; /* the console's last bytes */
	char panic[256];	     /* the line of the panic */
	size_t text_length;
};

static void vm_cleanup(struct vm *vm)
{
	vm_screen_end(&vm->screen);
	/* Closing the channel ends the first process, and with it all the others. The signal is
	 * for one that is stuck. */
	closep(&vm->channel);
	if (vm->pid > 0) {
		struct pollfd ended = { .fd = vm->pidfd, .events = POLLIN };

		if (vm->pidfd < 0 || RETRY_ON_EINTR(poll(&ended, 1, STUCK_MS)) <= 0)
			kill(vm->pid, SIGKILL);
		RETRY_ON_EINTR(waitpid(vm->pid, NULL, 0));
	}
	debugger_close(&vm->debugger);
	memory_dump_close(&vm->dump);
	closep(&vm->pidfd);
	closep(&vm->console);
	closep(&vm->status);
	closep(&vm->sizes);
	stream_close(&vm->in);
	stream_close(&vm->out);
	stream_close(&vm->error);
}

/* We make the pipes, not the hypervisor process: vng reopens them by their /proc names, which only
 * their owner may do. */
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
		if (!vm->config->input)
			stream_close(&vm->in);
		vm->out.to = vm->error.to = -1;
		fcntl(vm->out.from, F_SETFL, O_NONBLOCK);
		fcntl(vm->error.from, F_SETFL, O_NONBLOCK);
	}
	if (vm->config->terminal) {
		/* The first pipe carries the terminal's sizes, the last one error messages. */
		vm->sizes = pipes[0][1];
		vm->in.to = vm->in.from = -1;
		stream_close(&vm->out);
		close(pipes[1][1]);
		stdio[1] = fcntl(pipes[2][1], F_DUPFD_CLOEXEC, 3);
	}
	/* A background job that reads from its terminal is stopped. */
	if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp())
		stream_close(&vm->in);
	return 0;
}

static void vm_tell_debugger(const struct vm *vm)
{
	if (vm->config->debugger)
		vm->config->debugger(vm->debugger.state, vm->debugger.path, vm->config->context);
}

static int use_lines(struct vm *vm, struct vm_lines *lines, struct vm_dump *dump,
		     struct error **err)
{
	vm->console = lines->console;
	vm->status = lines->status;
	if (vm->config->gdb) {
		if (debugger_open(&vm->debugger, lines->gdb_in, lines->gdb_out, err) < 0)
			return -1;
		vm_tell_debugger(vm);
	}
	if (vm->config->dump &&
	    memory_dump_open(&vm->dump, vm->config, lines->monitor, lines->memory, dump, err) < 0)
		return -1;
	if (!vm->config->terminal)
		return 0;
	vm->in = (struct stream){ STDIN_FILENO, lines->terminal_in, .close_to = true };
	vm->out = (struct stream){ lines->terminal_out, STDOUT_FILENO, .close_from = true };
	return vm_screen_begin(&vm->screen, vm->sizes, err);
}

static int vm_start(struct vm *vm, struct vm_dump *dump, struct error **err)
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
	if (hypervisor_wait(vm->channel, vm->config, &lines, err) < 0)
		return -1;
	return use_lines(vm, &lines, dump, err);
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

/* A panic message appears at any log level. Keep its line, which may scroll out of the buffer. */
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

/* Reads one block; returns false if there was nothing to read. It does not loop, because a guest
 * that never stops writing must not keep us from checking deadlines and Ctrl-C. */
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

/* Reads the command's output for config->output. */
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

/* Reads one block of status lines, as read_console() does. The guest writes them and may write
 * anything. */
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

static int64_t earlier(int64_t a, int64_t b)
{
	return a && (!b || a < b) ? a : b;
}

/* The same for timeouts of poll(): -1 for none. */
static int sooner(int a, int b)
{
	return a >= 0 && (b < 0 || a < b) ? a : b;
}

static int time_left(const struct vm *vm)
{
	int64_t end = earlier(vm->grace, vm->deadline);
	int64_t left = end - clock_milliseconds();

	if (!end)
		return -1;
	return left < 0 ? 0 : (int)left;
}

/* Moves all deadlines by the time that passed since the last call, if a debugger had the guest or
 * was awaited. */
static void hold_deadlines(struct vm *vm)
{
	int64_t now = clock_milliseconds(), passed = now - vm->seen;

	vm->seen = now;
	if (!vm->config->gdb || vm->debugger.state == VM_DEBUGGER_LEFT)
		return;
	vm->deadline += vm->deadline ? passed : 0;
	vm->grace += vm->grace ? passed : 0;
	vm->boot.began += passed;
	vm->boot.deadline += passed;
}

/* How long to wait for the next event: until our own deadline or the caller's, whichever is first.
 */
static int time_to_wait(const struct vm *vm, int wanted)
{
	int left = time_left(vm);
	int64_t boot = vm->boot.deadline - clock_milliseconds();

	if (!vm->started && (left < 0 || boot < left))
		left = boot < 0 ? 0 : (int)boot;
	return sooner(left, wanted);
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

/* Returns false if the user ended the VM. */
static bool serve_input(struct vm *vm, const struct pollfd *in)
{
	if (vm->config->terminal && !vm_screen_read_keys(&vm->screen, &vm->in, in))
		return false;
	stream_serve(&vm->in, in);
	return true;
}

/* Standard output and the status arrive on separate channels; the first one counts. POLLHUP on a
 * pipe means that the VM has ended. */
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
				 "stopped the VM: the reader of its output is gone");
	errno = broken;
	return error_errno(err, ERR_MISSING, "stopped the VM: cannot write to standard %s",
			   vm->out.broken ? "output" : "error");
}

/* Why vm_serve() returned before the VM exited. */
enum vm_late { VM_EXPIRED = 1, VM_UNWATCHED, VM_UNBOOTED, VM_DUMPED };

/* With config->dump, a guest whose kernel panicked waits, paused, until its memory is on the disk.
 * A kernel that does not reset after its panic is paused for it. Returns whether all is done. */
static bool serve_dump(struct vm *vm)
{
	bool hangs = vm->panicked && time_left(vm) == 0;

	memory_dump_serve(&vm->dump);
	if (!vm->config->dump || (!vm->dump.reset && !hangs))
		return false;
	for (int i = 0; i < DRAIN_BLOCKS && read_console(vm); i++)
		;
	if (vm->panicked && vm->started)
		memory_dump_begin(&vm->dump);
	else
		memory_dump_quit(&vm->dump);
	return vm->panicked && vm->dump.state == DUMP_OVER;
}

/* Returns the milliseconds until the next look, or -1 with ERR set if a disk has no room. */
static int look_at_disks(struct vm *vm, struct error **err)
{
	int64_t now = clock_milliseconds();

	if (now >= vm->look) {
		if (disk_room_check(vm->config, err) < 0)
			return -1;
		vm->look = now + DISK_ROOM_MS;
	}
	return (int)(vm->look - now);
}

/* Serves the VM until it exits (returns 0), its time is up (VM_EXPIRED), config->watch ends it
 * (VM_UNWATCHED), it has not booted in time (VM_UNBOOTED), or its memory was kept (VM_DUMPED). */
static int vm_serve(struct vm *vm, struct error **err)
{
	enum {
		IN,
		OUT,
		ERROR,
		CONSOLE,
		STATUS,
		ENDED,
		SIGNALS,
		RESIZED,
		DEBUGGER,
		DUMP = DEBUGGER + DEBUGGER_POLLED,
		POLLED = DUMP + DUMP_POLLED
	};
	int wanted = -1, wait, look;

	for (;;) {
		struct pollfd polled[POLLED] = {
			[CONSOLE] = { .fd = vm->console, .events = POLLIN },
			[STATUS] = { .fd = vm->status, .events = POLLIN },
			[ENDED] = { .fd = vm->pidfd, .events = POLLIN },
			[SIGNALS] = { .fd = interrupt_fd(), .events = POLLIN },
			[RESIZED] = { .fd = vm->screen.resized, .events = POLLIN },
		};

		/* Leave the input alone until the command starts: a second boot may need it. */
		if (vm->announced)
			stream_prepare(&vm->in, &polled[IN]);
		else
			polled[IN].fd = -1;
		stream_prepare(&vm->out, &polled[OUT]);
		stream_prepare(&vm->error, &polled[ERROR]);
		look = look_at_disks(vm, err);
		if (look < 0)
			return -1;
		wait = sooner(debugger_prepare(&vm->debugger, &polled[DEBUGGER]),
			      memory_dump_prepare(&vm->dump, &polled[DUMP]));
		wait = sooner(wait, look);
		if (poll(polled, POLLED, time_to_wait(vm, sooner(wait, wanted))) < 0 &&
		    errno != EINTR)
			return error_errno(err, ERR_SYSTEM, "cannot wait for the VM");
		hold_deadlines(vm);
		if (interrupt_caught())
			return error_set(err, ERR_INTERRUPTED, "the VM was stopped by a signal");
		read_status(vm);
		vm_announce(vm, &polled[OUT], &polled[ERROR]);
		if (polled[RESIZED].revents)
			vm_screen_resize(&vm->screen);
		if (!serve_input(vm, &polled[IN]))
			return error_set(err, ERR_INTERRUPTED, "the VM was stopped by ~.");
		serve_output(vm, &polled[OUT], &polled[ERROR]);
		/* Without a reader on the pipe, the guest would block forever. */
		if (check_output(vm, err) < 0)
			return -1;
		read_console(vm);
		if (debugger_serve(&vm->debugger, &polled[DEBUGGER]))
			vm_tell_debugger(vm);
		if (polled[ENDED].revents)
			return 0;
		if (serve_dump(vm))
			return VM_DUMPED;
		if (time_left(vm) == 0 && vm->dump.state != DUMP_RUNNING)
			return VM_EXPIRED;
		if (!vm->started && boot_limit_passed(&vm->boot))
			return VM_UNBOOTED;
		if (vm->config->watch && (wanted = vm->config->watch(vm->config->context)) == 0)
			return VM_UNWATCHED;
	}
}

/* Returns the last lines of the console, or an empty string. */
static const char *find_last_lines(const struct vm *vm)
{
	const char *p = vm->text + vm->text_length;

	for (int lines = 0; p > vm->text; p--)
		if (p[-1] == '\n' && ++lines > SHOWN_LINES)
			break;
	return p;
}

/* The guest wrote the text: replaces characters that could control a terminal with '?'. */
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

/* Describes possible reasons for a failed boot. */
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
					  "; %s of memory may be too little to boot; see --memory",
					  vm->config->memory);
	if (!k->modules && !k->build && length < size)
		snprintf(text + length, size - length,
			 "; no modules were found for this kernel (lib/modules/%s beside the image "
			 "or in a directory above it); it may need drivers that are not built in",
			 k->version ? k->version : "VERSION");
}

/* Panics of a kernel that waited too long for something, by its own clock. */
static const char *const transient[] = {
	"IO-APIC + timer doesn't work",
	"softlockup: hung tasks",
	"hung_task: blocked tasks",
};

/* Whether a second boot may succeed. An emulated guest with two processors has been seen to reset
 * during boot on a busy host, without a panic. LATE is the result of vm_serve(). */
static bool is_transient(const struct vm *vm, int late)
{
	if (vm->started || vm->exited)
		return false;
	if (!vm->panicked)
		return !late && vm->text_length > 0; /* without console text no kernel has run */
	for (size_t i = 0; i < sizeof(transient) / sizeof(*transient); i++)
		if (strstr(vm->panic, transient[i]))
			return true;
	return false;
}

/* Decides what the end of the VM means. LATE is the result of vm_serve(). */
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
	result->ended = late == VM_UNWATCHED;
	if (vm->exited) {
		result->status = vm->exit_status;
		return 0;
	}
	if (late == VM_UNBOOTED)
		return error_set(err, ERR_SYSTEM,
				 "the guest did not boot within %" PRId64
				 " s: %s; if it is only slow, use a longer --boot-timeout%s",
				 (clock_milliseconds() - vm->boot.began) / 1000,
				 vm->text_length
					 ? "the last lines of its console say how far it came"
					 : "its console is empty",
				 hint);
	if (late) {
		/* The console explains only a boot that did not finish. */
		if (vm->started)
			result->console[0] = '\0';
		result->timed_out = late == VM_EXPIRED;
		return 0;
	}
	return error_set(err, ERR_SYSTEM, "the VM ended %s%s",
			 vm->started ? "before the command did"
				     : "before its kernel could run the command",
			 hint);
}

/* LATE is the result of vm_serve(). If it is 0, the writers are gone, so what is left is finite. */
static void vm_drain(struct vm *vm, int late)
{
	if (!vm->config->output) {
		stream_drain(&vm->out);
		stream_drain(&vm->error);
	}
	for (int i = 0; !late || i < DRAIN_BLOCKS; i++)
		if (!(read_console(vm) || read_status(vm) ||
		      (vm->config->output && (read_output(vm, &vm->out, STDOUT_FILENO) ||
					      read_output(vm, &vm->error, STDERR_FILENO)))))
			return;
}

/* Adds the root's images as the last disks, so that the other disks' names do not depend on the
 * kind of root. */
static int add_root_disks(struct vm_config *config, struct vm_disk disks[static VM_DISKS_MAX],
			  struct error **err)
{
	if (config->root.kind != VM_ROOT_IMAGE)
		return 0;
	if (config->disk_count + 1 + config->root.overlay_count > VM_DISKS_MAX)
		return error_set(err, ERR_INPUT, "too many disks: at most %zu",
				 VM_DISKS_MAX - 1 - config->root.overlay_count);
	if (config->disk_count)
		memcpy(disks, config->disks, config->disk_count * sizeof(*disks));
	disks[config->disk_count++] = (struct vm_disk){ .name = "rootlet-root",
							.path = config->root.path,
							.read_only = true };
	for (size_t i = 0; i < config->root.overlay_count; i++) {
		struct vm_disk *disk = &disks[config->disk_count++];

		*disk = (struct vm_disk){ .path = config->root.overlays[i], .read_only = true };
		snprintf(disk->name, sizeof(disk->name), OVERLAY_DISK "%c", (char)('0' + i));
	}
	config->disks = disks;
	return 0;
}

/* Boots once. Sets AGAIN if a second boot is worthwhile. DEADLINE is as in struct vm. */
static int vm_boot(const struct vm_config *config, int64_t *deadline, struct vm_result *result,
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
		.deadline = *deadline,
		.seen = clock_milliseconds(),
		.debugger = DEBUGGER_NONE,
		.dump = DUMP_NONE,
	};
	int late;

	boot_limit_begin(&vm.boot, config->boot_timeout, config->kvm);
	vm.in.from = vm.in.to = vm.out.from = vm.out.to = vm.error.from = vm.error.to = -1;
	*result = (struct vm_result){ 0 };
	if (vm_start(&vm, &result->dump, err) < 0)
		return -1;
	late = vm_serve(&vm, err);
	if (late < 0)
		return -1;
	vm_drain(&vm, late);
	if (check_output(&vm, err) < 0)
		return -1;
	vm_screen_end(&vm.screen);
	copy_last_lines(&vm, result);
	*deadline = vm.deadline;
	*again = (!*deadline || clock_milliseconds() < *deadline) && is_transient(&vm, late);
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
	if (!script || add_root_disks(&config, disks, err) < 0)
		return -1;
	status = vm_boot(&config, &deadline, result, &again, &first);
	if (again) {
		if (config.again)
			config.again(first->message, config.context);
		error_free(&first);
		status = vm_boot(&config, &deadline, result, &again, &first);
	}
	*err = STEAL_PTR(first);
	return status;
}
