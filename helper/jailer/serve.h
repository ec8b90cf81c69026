/* What happens while a request runs: the front end gets progress, and the peers are watched. */
#pragma once

#include <poll.h>

#include "helper/jailer/server.h"

/* Messages to the front end. Progress is dropped if the front end does not read it. For a line of a
 * jail's output, the jailer waits until the deadline. */
void serve_progress(const struct server *s, const char *stage, uint64_t done, uint64_t total);
void serve_log(const struct server *s, const char *line);

/* For poll(2): the peers that must be alive while a request runs. They send nothing during that, so
 * any event means that one has exited: serve_check_witnesses() is -1 then, with ERR_INTERRUPTED if
 * it was the front end. */
#define WITNESSES 2
void serve_watch_witnesses(const struct server *s, struct pollfd fds[static WITNESSES]);
int serve_check_witnesses(const struct pollfd fds[static WITNESSES], struct error **err);

/* -1 with ERR_INTERRUPTED if the request's time limit has passed. */
int serve_check_time(const struct server *s, struct error **err);

/* For work without a jail, to be called every now and then. Waits up to PAUSE ms. -1 with
 * ERR_INTERRUPTED if the front end has exited or the request's time limit has passed. */
int serve_go_on(const struct server *s, int pause, struct error **err);

/* Locks FD, which another process may have locked. -1 with ERR_INTERRUPTED after two minutes, or as
 * for serve_go_on(). */
int serve_lock(const struct server *s, int fd, struct error **err);
