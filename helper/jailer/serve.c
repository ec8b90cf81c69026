#include "helper/jailer/serve.h"

#include <sys/file.h>

#include "helper/jailer/audit_client.h"
#include "lib/clock.h"
#include "proto/note.h"

#define LOCK_SECONDS 120
#define LOCK_PAUSE 50 /* ms */

int serve_wait(const struct server *s, struct pollfd *fds, nfds_t count, bool watch, int pause,
	       struct error **err)
{
	struct pollfd *witnesses = fds + count;

	witnesses[0] = (struct pollfd){ .fd = watch ? s->parser : -1, .events = POLLIN };
	witnesses[1] = (struct pollfd){ .fd = watch ? s->audit : -1, .events = POLLIN };
	if (RETRY_ON_EINTR(poll(fds, count + WITNESSES, pause)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot wait for the jail");
	if (witnesses[0].revents)
		return error_set(err, ERR_INTERRUPTED, "the front end exited");
	if (witnesses[1].revents)
		return audit_lost(err);
	if (clock_seconds() >= s->deadline)
		return error_set(err, ERR_INTERRUPTED, "it took longer than %u s", s->limit);
	return 0;
}

void serve_log(const char *line, void *server)
{
	const struct server *s = server;
	struct note note = { .kind = NOTE_LOG };
	struct pollfd fds[] = { { .fd = s->parser, .events = POLLOUT },
				{ .fd = s->audit, .events = POLLIN } };

	snprintf(note.text, sizeof(note.text), "%s", line);
	while (packet_offer(s->parser, &note, sizeof(note), NULL) > 0)
		if (clock_seconds() >= s->deadline || RETRY_ON_EINTR(poll(fds, 2, 1000)) < 0 ||
		    fds[1].revents)
			return;
}

int serve_go_on(const struct server *s, int pause, struct error **err)
{
	struct pollfd fds[WITNESSES];

	return serve_wait(s, fds, 0, true, pause, err);
}

int serve_lock(const struct server *s, int fd, struct error **err)
{
	int64_t end = clock_seconds() + LOCK_SECONDS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, ERR_SYSTEM, "cannot take the lock");
		if (clock_seconds() >= end)
			return error_set(err, ERR_INTERRUPTED, "it took longer than %d s",
					 LOCK_SECONDS);
		if (serve_go_on(s, LOCK_PAUSE, err) < 0)
			return -1;
	}
	return 0;
}
