/* The catalogue of configurations to test filesystems in: "ext4/1k". Each filesystem has a file,
 * FS.conf, whose sections are its configurations. Format: rootlet-configuration(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

struct test_configuration {
	char *fs, *name;    /* "ext4", "1k" */
	char *path;	    /* of the file */
	char *description;  /* one line, or NULL */
	char *fstype;	    /* FSTYP of fstests */
	char *base;	    /* the filesystem below an overlay or an NFS server, or NULL */
	char *mkfs, *mount; /* options: "-b 1024", "data=journal"; NULL: none */
	char **variables;   /* further variables of fstests, "NAME=VALUE" */
	char **kernel;	    /* options without CONFIG_; "A|B": one of them */
	char **tools;	    /* commands in the guest */
	char **packages;    /* that have them; "a|b": the first one that a release has */
	char **excludes;    /* "TEST[ KEY=VALUE…]: REASON" */
	unsigned int since; /* Linux 6.12: 6012; 0: any */
	bool log, realtime; /* has such devices of its own */
	bool own;	    /* the user's */
};

struct configurations {
	struct test_configuration *list;
	size_t count;
};

/* Adds the configurations of FS from TEXT, the content of the file PATH. */
int configurations_parse(struct configurations *c, const char *fs, const char *path,
			 const char *text, bool own, struct error **err);
void configurations_clear(struct configurations *c);
void configuration_clear(struct test_configuration *c);

/* Whether WORD may be the name of a filesystem or a configuration: lower-case letters, digits and
 * _.
 */
bool configuration_valid_name(const char *word);

/* "ext4/1k", and "ext4_1k": the section of fstests' configuration. They return OUT. */
#define CONFIGURATION_SIZE 128
const char *configuration_title(const struct test_configuration *c,
				char out[static CONFIGURATION_SIZE]);
const char *configuration_section(const struct test_configuration *c,
				  char out[static CONFIGURATION_SIZE]);
