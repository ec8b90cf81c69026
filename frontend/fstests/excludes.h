/* Tests that are left out, each with a reason: rootlet fstests --exclude, the user's own files, and
 * those of configurations. Format: rootlet-fstests(1), "EXCLUDES". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

enum exclude_key {
	EXCLUDE_CONFIGURATION,
	EXCLUDE_FSTYPE,
	EXCLUDE_KERNEL,
	EXCLUDE_ARCH,
	EXCLUDE_CONDITIONS, /* how many keys above say where an entry holds */
	EXCLUDE_UNTIL = EXCLUDE_CONDITIONS,
	EXCLUDE_SEE,
	EXCLUDE_KEYS,
};

/* An entry. Owns its strings. */
struct exclude {
	char **tests;		    /* names and patterns, NULL-terminated */
	char *values[EXCLUDE_KEYS]; /* as written; NULL if not given */
	char *reason;
	char *origin;  /* "FILE:LINE" */
	bool built_in; /* of the catalogue: nobody has to look at it */
	bool patterns; /* some of the tests are patterns */
	bool held;     /* its conditions held somewhere in the run; the caller's */
	bool used;     /* it has left out a test */
};

struct excludes {
	struct exclude *list;
	size_t count;
};

/* Where a test would run. A condition on what is unknown (NULL) does not hold. */
struct exclude_place {
	/* "configuration" is about either of the first two. */
	const char *configuration, *section, *fstype;
	const char *kernel;  /* as `uname -r` prints it */
	const char *arch[2]; /* its names in Linux and in Debian */
	const char *today;   /* "2026-11-30" */
};

/* Adds the entries of TEXT. PATH is for messages. If CONFIGURATION is not NULL, entries that name
 * none hold only there. ERR_INPUT, with PATH:LINE, if anything is wrong with one. */
int excludes_parse(struct excludes *e, const char *path, const char *text,
		   const char *configuration, struct error **err);

/* The same for the file PATH, which may have 1 MiB. ERR_INPUT also if it cannot be read. */
int excludes_read(struct excludes *e, const char *path, struct error **err);

/* The same for all files of a directory, by name, but not hidden files and those that end with "~".
 * A missing directory is empty. */
int excludes_read_directory(struct excludes *e, const char *path, struct error **err);

/* The first entry that leaves out TEST there, which becomes used; NULL if none does. */
const struct exclude *excludes_find(struct excludes *e, const struct exclude_place *place,
				    const char *test);

/* Whether the entry names or matches TEST, wherever that runs. */
bool exclude_names(const struct exclude *entry, const char *test);

/* Whether the entry's conditions hold there, and whether its last day is over. */
bool exclude_holds(const struct exclude *entry, const struct exclude_place *place);
bool exclude_expired(const struct exclude *entry, const char *today);

/* "hangs (https://…)": the reason with its reference. The caller frees it; NULL if out of memory.
 */
char *exclude_explain(const struct exclude *entry);

/* All entries as lines that excludes_parse() accepts, without comments. The caller frees them. */
char *excludes_compose(const struct excludes *e);
void excludes_clear(struct excludes *e);
