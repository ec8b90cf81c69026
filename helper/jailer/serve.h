/* What goes on while a request is carried out: the front end is told, and watched. */
#pragma once

#include <poll.h>

#include "helper/jailer/server.h"

/* Seconds of the monotonic clock, for limits. */
int64_t serve_now(void);

/* To the front end: progress, which one that does not read misses, and a line of what a jail says,
 * for which the jailer waits up to the deadline. */
void serve_progress(const struct server *s, const char *stage, uint64_t done, uint64_t total);
void serve_log(const struct server *s, const char *line);

/* For poll(2): who has to be there while anything is done. They send nothing meanwhile, so that all
 * that comes is their end: serve_check_witnesses() is -1 then, with ERR_INTERRUPTED if it is the
 * front end's. */
#define WITNESSES 2
void serve_watch_witnesses(const struct server *s, struct pollfd fds[static WITNESSES]);
int serve_check_witnesses(const struct pollfd fds[static WITNESSES], struct error **err);

/* -1 with ERR_INTERRUPTED if the request's time limit has passed. */
int serve_check_time(const struct server *s, struct error **err);

/* For what is done without a jail, every now and then: -1 with ERR_INTERRUPTED if the front end has
 * left (for which it waits PAUSE ms) or the request's time limit has passed. */
int serve_go_on(const struct server *s, int pause, struct error **err);

/* Locks FD, which another process may have locked. -1 with ERR_INTERRUPTED after two minutes, and
 * as serve_go_on(). */
int serve_lock(const struct server *s, int fd, struct error **err);
