/* Where configurations are: the user's own in $XDG_CONFIG_HOME/rootlet/configurations, then those
 * installed with rootlet. The user's configuration hides an installed one of the same name. */
#pragma once

#include "frontend/fstests/configuration.h"

/* The names of all filesystems, sorted and NULL-terminated. The caller frees them with
 * words_free().
 */
int catalogue_filesystems(char ***names, struct error **err);

/* The configurations of FS, in the order of their files. ERR_MISSING if there is no such
 * filesystem, ERR_INPUT if a file is not valid. The caller clears OUT, in any case. */
int catalogue_read(const char *fs, struct configurations *out, struct error **err);

/* Those that WORDS names: "ext4/1k,xfs/4k"; "ext4" is the first one of ext4. ERR_INPUT if one is
 * unknown, or named twice. The caller clears OUT, in any case. */
int catalogue_choose(const char *words, struct configurations *out, struct error **err);
