/* The caller's own memory of the newest release files, $XDG_STATE_HOME/rootlet/releases
 * (lib/release_memory.h). rootlet-helper checks again, in user mode with the same file. */
#pragma once

#include "lib/error.h"

/* Opens the memory, which is made if it is missing. Its descriptor, or -1 with ERR set; PATH (may
 * be NULL) is the caller's to free. */
int release_seen_open(char **path, struct error **err);

/* The one spelling of a mirror's URL: without a user's name and password, the default port and
 * slashes at the end, scheme and host in lower case, percent-encoded. NULL if memory is short; the
 * caller's. */
char *release_seen_place(const char *mirror);
