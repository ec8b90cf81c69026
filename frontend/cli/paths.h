/* Where rootlet's own files are. A program in the build directory uses the helper built there and
 * the data files of the source tree. All others use the installed files. */
#pragma once

#include "lib/error.h"

/* The paths of rootlet-helper and rootlet-userns. The caller frees them. */
char *paths_helper(struct error **err);
char *paths_userns(struct error **err);

/* A file that comes with rootlet: "profiles/fstests.conf", "guest/init.sh". The caller frees it. */
char *paths_data(const char *relative, struct error **err);

/* $XDG_CONFIG_HOME/rootlet/RELATIVE. The caller frees it. ERR_MISSING if there is no home. */
char *paths_config(const char *relative, struct error **err);

/* $XDG_STATE_HOME/rootlet/RELATIVE, likewise. */
char *paths_state(const char *relative, struct error **err);

/* The user's home directory: $HOME if it is absolute, else from the password database. */
char *paths_home(struct error **err);
