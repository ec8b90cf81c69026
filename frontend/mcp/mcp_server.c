#include "frontend/mcp/mcp_server.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/report.h"
#include "frontend/mcp/call.h"
#include "frontend/mcp/methods.h"
#include "frontend/mcp/resources.h"
#include "frontend/mcp/tools.h"

/* How long to wait for a client that closed its end to read the remaining answers. */
#define FLUSH_MS 5000

enum { POLL_INPUT, POLL_OUTPUT, POLL_SIGNALS, POLL_CALLS };

static void mcp_take_lines(struct mcp_server *s)
{
	const char *line;
	size_t length = 0;
	int r;

	while (wire_has_room(&s->wire) && (r = wire_next(&s->wire, &line, &length)) != 0)
		methods_take_line(s, r > 0 ? line : NULL, length);
}

/* Whether the server should stop: it cancels all calls, and still sends the queued answers. */
static bool is_leaving(const struct mcp_server *s)
{
	return s->wire.ended || s->wire.broken || interrupt_caught();
}

static size_t mcp_prepare(const struct mcp_server *s, struct pollfd *polled)
{
	bool room = wire_has_room(&s->wire), leaving = is_leaving(s);

	polled[POLL_INPUT] =
		(struct pollfd){ .fd = room && !leaving ? STDIN_FILENO : -1, .events = POLLIN };
	/* Even with nothing to write, this shows that the client stopped reading. */
	polled[POLL_OUTPUT] = (struct pollfd){ .fd = s->wire.broken ? -1 : STDOUT_FILENO,
					       .events = wire_has_output(&s->wire) ? POLLOUT : 0 };
	polled[POLL_SIGNALS] =
		(struct pollfd){ .fd = interrupt_caught() ? -1 : interrupt_fd(), .events = POLLIN };
	return POLL_CALLS + call_prepare(s, polled + POLL_CALLS, room || leaving);
}

static int mcp_loop(struct mcp_server *s)
{
	struct pollfd polled[POLL_CALLS + CALLS_MAX * CALL_POLLED];

	while (!is_leaving(s) || s->calls || (wire_has_output(&s->wire) && !s->wire.broken)) {
		size_t count = mcp_prepare(s, polled);
		bool last = is_leaving(s) && !s->calls;
		int ready;

		/* Check here, since a signal may have interrupted the last poll(). */
		if (is_leaving(s))
			call_cancel_all(s);
		ready = poll(polled, count, last ? FLUSH_MS : call_time_left(s));
		if (ready == 0 && last)
			break;
		if (ready < 0)
			continue;
		if (polled[POLL_INPUT].revents)
			wire_read(&s->wire);
		if (polled[POLL_OUTPUT].revents & (POLLERR | POLLHUP | POLLNVAL))
			s->wire.broken = true;
		else if (polled[POLL_OUTPUT].revents)
			wire_write(&s->wire);
		call_serve(s, polled + POLL_CALLS);
		mcp_take_lines(s);
	}
	return interrupt_caught() ? EXIT_INTERRUPTED : EXIT_OK;
}

int mcp_serve(const char *command)
{
	struct mcp_server s = { .level = LEVEL_INFO };
	int status;

	s.tools = tools_load();
	s.page_tool = resources_tool();
	interrupt_catch();
	signal(SIGPIPE, SIG_IGN);
	status = mcp_loop(&s);
	/* A client that disconnects is the normal end of a session. */
	if (s.wire.error && s.wire.error != EPIPE && s.wire.error != ECONNRESET) {
		_cleanup_error_ struct error *err = NULL;

		errno = s.wire.error;
		error_errno(&err, ERR_MISSING, "cannot write to standard output");
		status = report_error(command, err);
	}
	wire_clear(&s.wire);
	json_decref(s.tools);
	json_decref(s.page_tool);
	return status;
}
