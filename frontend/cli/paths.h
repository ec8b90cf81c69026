/* Where rootlet's own files are. A program that runs from its build folder uses that folder's
 * helper and the source's policy; every other one uses what was installed. */
#pragma once

#include "lib/error.h"

/* The paths of rootlet-helper and rootlet-userns; the caller's to free. */
char *paths_helper(struct error **err);
char *paths_userns(struct error **err);

/* A file that comes with rootlet, "profiles/fstests.conf" or "guest/init.sh"; the caller's to free.
 */
char *paths_data(const char *relative, struct error **err);

/* $XDG_CONFIG_HOME/rootlet/RELATIVE; the caller's to free. ERR_MISSING without a home. */
char *paths_config(const char *relative, struct error **err);

/* $XDG_STATE_HOME/rootlet/RELATIVE, likewise. */
char *paths_state(const char *relative, struct error **err);

/* The caller's home: $HOME where absolute, else what the password database says. */
char *paths_home(struct error **err);
