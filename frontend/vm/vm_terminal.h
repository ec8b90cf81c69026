/* The near side of a guest's terminal: the caller's own, raw while the command runs. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <termios.h>

#include "frontend/cli/stream.h"
#include "frontend/vm/vm_config.h"
#include "lib/error.h"

/* The caller's terminal. Returns false if COMMAND (else a shell) gets none: if standard input or
 * output is not a terminal, or standard error, which a terminal would join to them, or if it
 * belongs to a job in the foreground that is not ours. */
bool vm_terminal_find(struct vm_terminal *terminal, bool command);

/* Keys on their way to the guest. "~." at the start of a line is for us; "~~" sends one "~". */
struct vm_keys {
	bool in_line; /* the last key was no Return */
	bool tilde;   /* a "~" at the start of a line is held back */
};

struct vm_screen {
	struct termios saved;
	struct vm_keys keys;
	bool raw;    /* the caller's terminal, to be restored from SAVED */
	int resized; /* signalfd of SIGWINCH; -1: none */
	int sizes;   /* takes a line "ROWS COLUMNS" per size; the caller's */
};

/* From now on the size is passed on: as it is, and as it changes. */
int vm_screen_begin(struct vm_screen *s, int sizes, struct error **err);
void vm_screen_resize(struct vm_screen *s);
void vm_screen_make_raw(struct vm_screen *s);
void vm_screen_end(struct vm_screen *s);

/* Reads keys into S, where it is empty. Returns false after "~.". */
bool vm_screen_read_keys(struct vm_screen *screen, struct stream *s, const struct pollfd *polled);

/* Takes what is for us out of SIZE bytes; OUT has room for SIZE + 1. Sets END after "~.".
 * Returns how many bytes are in OUT. */
size_t vm_keys_filter(struct vm_keys *keys, const char *data, size_t size, char *out, bool *end);
