/* What happens while a request runs: the front end gets progress, and the peers are watched. */
#pragma once

#include <poll.h>

#include "helper/jailer/server.h"

/* Sends the front end a line of a jail's output. If the front end does not read it, the jailer
 * (SERVER) waits until the deadline. */
void serve_log(const char *line, void *server);

/* poll(2) for up to PAUSE ms. FDS has room for WITNESSES more than COUNT: with WATCH, the peers
 * that must be alive while a request runs. They send nothing during that, so any event means that
 * one has exited. Returns 0, or -1 with ERR set: ERR_INTERRUPTED if the front end has exited or the
 * request's time limit has passed. */
#define WITNESSES 2
int serve_wait(const struct server *s, struct pollfd *fds, nfds_t count, bool watch, int pause,
	       struct error **err);

/* As serve_wait(), without descriptors: for work without a jail, to be called every now and then.
 */
int serve_go_on(const struct server *s, int pause, struct error **err);

/* Locks FD, which another process may have locked. -1 with ERR_INTERRUPTED after two minutes, or as
 * for serve_go_on(). */
int serve_lock(const struct server *s, int fd, struct error **err);
