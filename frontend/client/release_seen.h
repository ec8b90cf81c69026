/* The newest release files that this user has seen: $XDG_STATE_HOME/rootlet/releases
 * (lib/release_memory.h). rootlet-helper checks them too, in user mode against the same file. */
#pragma once

#include "lib/error.h"

/* Opens the file, and creates it if it is missing. Returns a descriptor, or -1 with ERR set. The
 * caller frees PATH, which may be NULL. */
int release_seen_open(char **path, struct error **err);

/* A mirror's URL in canonical form: no user name or password, no default port, no trailing slashes,
 * scheme and host in lower case, percent-encoded. NULL if out of memory; the caller frees it. */
char *release_seen_place(const char *mirror);
