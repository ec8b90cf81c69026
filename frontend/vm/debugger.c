#include "frontend/vm/debugger.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"

#define SETTLE_MS 5000

/* Acknowledges what the stub may still wait for, stops the guest, and attaches to it again: the
 * stub believes that a debugger which detached is still connected, but to no process. Source: GDB
 * manual, "Packets" and "Interrupts". */
static const char again[] = "+\003$vAttach;1#37";

/* The socket's name must be short: sockaddr_un has 108 bytes. */
static int make_directory(struct debugger *d, struct error **err)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!run || *run != '/' || strlen(run) > 64 || stat(run, &st) < 0 || st.st_uid != geteuid())
		run = "/tmp";
	snprintf(d->directory, sizeof(d->directory), "%s/rootlet-gdb.XXXXXX", run);
	if (mkdtemp(d->directory))
		return 0;
	error_errno(err, ERR_SYSTEM, "cannot make a directory for the debugger in %s", run);
	*d->directory = '\0';
	return -1;
}

int debugger_open(struct debugger *d, int to_stub, int from_stub, struct error **err)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	*d = (struct debugger)DEBUGGER_NONE;
	d->in.from = d->in.to = d->out.from = d->out.to = -1;
	d->to_stub = to_stub;
	d->from_stub = from_stub;
	if (make_directory(d, err) < 0)
		return -1;
	snprintf(d->path, sizeof(d->path), "%s/gdb", d->directory);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", d->path);
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->listener < 0 || bind(d->listener, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(d->listener, 1) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make the debugger's socket %s",
				   d->path);
	d->state = VM_DEBUGGER_AWAITED;
	return 0;
}

static void drop_client(struct debugger *d)
{
	stream_close(&d->in);
	stream_close(&d->out);
	closep(&d->client);
	d->client = -1;
	d->resuming = false;
}

void debugger_close(struct debugger *d)
{
	drop_client(d);
	closep(&d->listener);
	closep(&d->to_stub);
	closep(&d->from_stub);
	if (!*d->directory)
		return;
	unlink(d->path);
	rmdir(d->directory);
	*d->directory = '\0';
}

int debugger_prepare(const struct debugger *d, struct pollfd polled[static DEBUGGER_POLLED])
{
	int64_t left = d->settled - clock_milliseconds();

	for (int i = 0; i < DEBUGGER_POLLED; i++)
		polled[i] = (struct pollfd){ .fd = -1 };
	if (d->client >= 0 && !d->resuming) {
		stream_prepare(&d->in, &polled[1]);
		stream_prepare(&d->out, &polled[2]);
		return -1;
	}
	polled[0] = (struct pollfd){ .fd = d->resuming ? -1 : d->listener, .events = POLLIN };
	polled[2] = (struct pollfd){ .fd = d->from_stub, .events = POLLIN };
	return !d->resuming ? -1 : left < 0 ? 0 : (int)left;
}

static void connect_streams(struct debugger *d)
{
	d->resuming = false;
	d->in = (struct stream){ .from = d->client, .to = d->to_stub };
	d->out = (struct stream){ .from = d->from_stub, .to = d->client };
}

/* Reads what the stub says to nobody, and its answer to `again`, which ends with "#" and two
 * digits. */
static void discard_answer(struct debugger *d)
{
	char data[1024];
	ssize_t size;

	while ((size = read(d->from_stub, data, sizeof(data))) > 0)
		d->answered = d->answered || memchr(data, '#', (size_t)size);
	if (!d->resuming || (!d->answered && clock_milliseconds() < d->settled))
		return;
	/* It waits for this acknowledgement. */
	if (write(d->to_stub, "+", 1) < 0)
		drop_client(d);
	else
		connect_streams(d);
}

static bool take_client(struct debugger *d)
{
	d->client = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (d->client < 0)
		return false;
	if (d->state == VM_DEBUGGER_AWAITED) {
		connect_streams(d);
	} else {
		d->resuming = true;
		d->answered = false;
		d->settled = clock_milliseconds() + SETTLE_MS;
		if (write(d->to_stub, again, strlen(again)) < 0)
			drop_client(d);
	}
	if (d->client >= 0)
		d->state = VM_DEBUGGER_ATTACHED;
	return d->client >= 0;
}

bool debugger_serve(struct debugger *d, const struct pollfd polled[static DEBUGGER_POLLED])
{
	if (d->listener < 0)
		return false;
	if (d->client < 0 || d->resuming) {
		discard_answer(d);
		return d->client < 0 && polled[0].revents && take_client(d);
	}
	stream_serve(&d->in, &polled[1]);
	stream_serve(&d->out, &polled[2]);
	if (d->in.from >= 0 && d->out.from >= 0)
		return false;
	drop_client(d);
	d->state = VM_DEBUGGER_LEFT;
	return true;
}

/* --- what the user reads -------------------------------------------------------------------- */

static bool needs_no_quotes(const char *word)
{
	return !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "/._+@%,:-")];
}

void debugger_tell(struct progress *progress, const struct kernel *kernel, enum vm_debugger state,
		   const char *socket)
{
	_cleanup_free_ char *vmlinux = kernel_vmlinux(kernel);
	const char *quote = vmlinux && !needs_no_quotes(vmlinux) ? "\"" : "";
	_cleanup_free_ char *line = NULL;

	if (state == VM_DEBUGGER_ATTACHED)
		return;
	if (state == VM_DEBUGGER_LEFT) {
		progress_note(progress, "the debugger is gone: time limits count again");
		return;
	}
	if (asprintf(&line,
		     "the guest waits for a debugger; run: gdb %s%s%s -ex 'target remote %s'",
		     quote, vmlinux ? vmlinux : "VMLINUX", quote, socket) < 0)
		return;
	if (progress)
		progress_note(progress, "%s", line);
	else
		fprintf(stderr, "%s\n", line);
}
