/* What SIGINT, SIGTERM and SIGHUP do at this moment. There is one state for the process, as there
 * is one disposition per signal. */
#pragma once

#include <stdbool.h>

/* Leave at once with status 130: for stages that have nothing to clean up. */
void interrupt_leave(void);

/* Note it: interrupt_caught() becomes true, interrupt_fd() readable, blocking calls return EINTR.
 * A second signal does no more, because a clean-up that is cut short leaves things behind. */
void interrupt_catch(void);

bool interrupt_caught(void);

/* Whether SIGUSR1 has come since interrupt_catch(): whoever wants this process to leave does not
 * wait for its clean-up, which is left to the next command. */
bool interrupt_hurried(void);

/* A descriptor to poll for POLLIN, ours for good; -1 before the first interrupt_catch(). */
int interrupt_fd(void);

/* One more descriptor for what waits on others: where it can be read (the helper's channel, say),
 * there is no use in going on. -1: none. */
void interrupt_watch(int fd);
int interrupt_watched(void);
