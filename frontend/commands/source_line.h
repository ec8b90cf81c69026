/* The options of commands that download packages. */
#pragma once

#include "frontend/archive/source.h"
#include "frontend/commands/commandline.h"
#include "lib/error.h"
#include "proto/validate.h"

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

#define REPOSITORY_ROW                                                                             \
	{                                                                                          \
		"--repository", "ENTRY", OPTION_REPOSITORY,                                        \
			"further archive, with keys of its own, as in apt's sources.list: "        \
			"\"[signed-by=FILE] URL SUITE COMPONENT…\"; may be repeated"             \
	}

/* What a source that source_line_read() filled in borrows. */
struct source_words {
	char **components;
	struct repository repositories[REPOSITORIES_MAX];
	size_t repository_count;
};

/* Fills in SOURCE from the options that the line's command has. The caller clears WORDS, in any
 * case, after its last use. ERR_INPUT if a value is malformed. */
int source_line_read(const struct parsed_line *line, struct source_words *words,
		     struct source *source, struct error **err);
void source_words_clear(struct source_words *words);
