#include "helper/jailer/jail_run.h"

#include <fcntl.h>

#include "helper/jailer/serve.h"
#include "helper/jailer/tree_clone.h"
#include "lib/beneath.h"

/* Exit statuses of a jail: this one if its program cannot be started, 127 if that is missing. */
#define NOT_STARTED 126

static void jail_drain(int fd, struct output *output)
{
	char data[8192];
	ssize_t n;

	while (fd >= 0 && (n = RETRY_ON_EINTR(read(fd, data, sizeof(data)))) > 0)
		output_feed(output, data, (size_t)n);
	if (output)
		output_feed(output, "\n", 1);
}

/* Waits until the jail has exited. */
static int watch_jail(struct server *s, const struct jail *jail, int text, struct output *output,
		      struct error **err)
{
	struct pollfd fds[2 + WITNESSES] = {
		{ .fd = jail->pidfd, .events = POLLIN },
		{ .fd = text, .events = POLLIN },
	};
	char data[8192];
	ssize_t n;

	for (;;) {
		if (serve_wait(s, fds, 2, true, 1000, err) < 0)
			return -1;
		if (fds[1].revents) {
			n = read(text, data, sizeof(data));
			if (n > 0)
				output_feed(output, data, (size_t)n);
			else if (n == 0)
				fds[1].fd = -1;
		}
		if (fds[0].revents)
			return 0;
	}
}

int jail_run(struct server *s, const struct jail_spec *spec, struct output *output,
	     struct error **err)
{
	_cleanup_close_ int text = -1, theirs = -1;
	struct jail_spec own = *spec;
	struct jail jail = JAIL_NONE;
	int ends[2], status;

	/* Before any program of the tree runs: none may write to another tree's files. */
	if (spec->kind == JAIL_TREE && tree_break_links(s, spec->root, err) < 0)
		return -1;
	if (output) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return error_errno(err, ERR_SYSTEM, "cannot make a pipe");
		text = ends[0];
		theirs = own.stdio[1] = own.stdio[2] = ends[1];
		own.stdio[0] = -1;
	}
	if (jail_start(&own, &jail, err) < 0)
		return -1;
	closep(&theirs);
	theirs = -1;
	if (watch_jail(s, &jail, text, output, err) < 0) {
		jail_end(&jail);
		return -1;
	}
	status = jail_reap(&jail);
	if (output)
		jail_drain(text, output);
	return status;
}

int jail_run_well(struct server *s, const struct jail_spec *spec, const char *what,
		  void (*line)(const char *line, void *server), struct error **err)
{
	struct output output = { .line = line, .context = s };
	int status = jail_run(s, spec, &output, err);
	char tail[1024];

	if (status <= 0)
		return status;
	output_tail(&output, tail, sizeof(tail));
	if (output.full || tree_disk_full(spec->file > 0 ? spec->file : spec->root))
		return error_set(err, ERR_SPACE,
				 "%s failed: no space left on the disk; free some space", what);
	return error_set(err,
			 spec->kind == JAIL_TREE ? ERR_PACKAGE
			 : status >= NOT_STARTED ? ERR_HOST
						 : ERR_SYSTEM,
			 "%s failed with status %d: %s", what, status, tail);
}
