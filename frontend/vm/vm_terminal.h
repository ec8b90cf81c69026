/* The host side of a guest's terminal: the caller's own, in raw mode while the command runs. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <termios.h>

#include "frontend/cli/stream.h"
#include "frontend/vm/vm_config.h"
#include "lib/error.h"

/* Describes the caller's terminal. Returns false if standard input or output is not a terminal.
 * With COMMAND (otherwise a shell), also returns false if standard error is not one, since a
 * terminal would merge it with standard output, or if another job is in the foreground. */
bool vm_terminal_find(struct vm_terminal *terminal, bool command);

/* Filters keys for the guest. "~." at the start of a line ends the VM; "~~" sends one "~". */
struct vm_keys {
	bool in_line; /* the last key was not Return */
	bool tilde;   /* a "~" at the start of a line is pending */
};

struct vm_screen {
	struct termios saved;
	struct vm_keys keys;
	bool raw;    /* the terminal is raw and must be restored from SAVED */
	int resized; /* signalfd for SIGWINCH; -1 if none */
	int sizes;   /* receives a line "ROWS COLUMNS" for each size; owned by the caller */
};

/* Starts sending the size: once now, then after every change. */
int vm_screen_begin(struct vm_screen *s, int sizes, struct error **err);
void vm_screen_resize(struct vm_screen *s);
void vm_screen_make_raw(struct vm_screen *s);
void vm_screen_end(struct vm_screen *s);

/* Reads keys into S if it is empty. Returns false after "~.". */
bool vm_screen_read_keys(struct vm_screen *screen, struct stream *s, const struct pollfd *polled);

/* Removes our escape sequences from SIZE bytes; OUT has room for SIZE + 1. Sets END after "~.".
 * Returns the number of bytes in OUT. */
size_t vm_keys_filter(struct vm_keys *keys, const char *data, size_t size, char *out, bool *end);
