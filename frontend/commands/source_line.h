/* The options of commands that download packages. */
#pragma once

#include "frontend/archive/source.h"
#include "frontend/commands/commandline.h"
#include "lib/error.h"

/* MIRROR says what the mirror is by default. */
#define SOURCE_ROWS(mirror)                                                                        \
	{ "--mirror", "URL", OPTION_MIRROR,                                                        \
	  "mirror to download packages from (default: " mirror ")" },                              \
		{ "--keyring", "FILE", OPTION_KEYRING,                                             \
		  "keys to verify signatures with (default: the distribution's keyring in "        \
		  "/usr/share/keyrings)" },                                                        \
		{ "--allow-older-release", NULL, OPTION_ALLOW_OLDER,                               \
		  "accept a release file that is older than the newest one seen from this "        \
		  "mirror, as "                                                                    \
		  "after the mirror was restored from a backup",                                   \
		  .once = true },                                                                  \
	{                                                                                          \
		"--components", "LIST", OPTION_COMPONENTS,                                         \
			"archive components, such as \"main,universe\""                            \
	}

/* Fills in SOURCE. Its components, NULL if none are given, are the caller's to free with
 * words_free(). ERR_INPUT if one is malformed. */
int source_line_read(const struct parsed_line *line, struct source *source, char ***components,
		     struct error **err);
