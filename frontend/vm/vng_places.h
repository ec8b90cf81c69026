/* Where vng and the programs that it starts are installed: the system's directories, and, if they
 * are in a home, a checkout, a venv or another prefix, those parts of it that hold programs and
 * libraries. A home itself is never among them. */
#pragma once

#include <stddef.h>

#include "lib/error.h"

struct vng_places {
	char **path; /* absolute, as PATH and links name them; each exists */
	size_t count;
};

/* What vng_exec() sets PATH to: the caller's own and the system's. The caller's to free. */
char *vng_path(void);

/* Follows PATH as vng_exec() sets it, and may run vng's Python. Returns 0 and what is the caller's
 * to free, or -1 with ERR set. */
int vng_places_find(struct vng_places *places, struct error **err);
void vng_places_free(struct vng_places *places);
