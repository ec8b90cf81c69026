/* Finds where vng and the programs that it starts are installed: the system's directories and, if
 * vng is in a home directory (in a checkout, a venv or another prefix), the parts of it that hold
 * programs and libraries. Never includes a home directory itself. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

struct vng_places {
	char **path; /* absolute, as named by PATH and links; each exists */
	size_t count;
};

/* The emulator that vng starts: that of the host's architecture. */
struct vng_emulator {
	char program[48];
	const char *package; /* Debian's */
};

struct vng_emulator vng_emulator_find(void);

/* Returns the PATH for vng_exec(): the caller's and the system's. The caller frees it. */
char *vng_path(void);

/* Searches the PATH of vng_exec(); may run vng's Python. Returns 0, or -1 with ERR set. Release
 * PLACES with vng_places_free(). */
int vng_places_find(struct vng_places *places, struct error **err);
void vng_places_free(struct vng_places *places);
