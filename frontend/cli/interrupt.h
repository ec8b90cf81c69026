/* What SIGINT, SIGTERM and SIGHUP do. The state is global, as signal dispositions are. */
#pragma once

#include <stdbool.h>

/* From now on, a signal exits at once with status 130: for stages that need no cleanup. */
void interrupt_leave(void);

/* From now on, a signal makes interrupt_caught() true and interrupt_fd() readable, and blocking
 * calls return EINTR. A second signal does nothing more, so that it cannot cut the cleanup short.
 */
void interrupt_catch(void);

/* In a child process that has not called exec(): what the parent caught is the parent's. */
void interrupt_forget(void);

bool interrupt_caught(void);

/* Whether SIGUSR1 came after interrupt_catch(): the sender does not wait for the cleanup, which is
 * left to the next command. */
bool interrupt_hurried(void);

/* A descriptor to poll for POLLIN, which stays open; -1 before the first interrupt_catch(). */
int interrupt_fd(void);

/* One more descriptor that ends a wait when it becomes readable, such as the helper's channel. -1:
 * none. */
void interrupt_watch(int fd);
int interrupt_watched(void);
