/* What the command lines of `run` and `fstests` have in common: sizes, numbers and words for the
 * VM. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

#define CPUS_TEXT 16

/* A size with a unit, "512M"; a bare number is in MiB where MEGABYTES, else in bytes. Returns 0
 * for what is none or does not fit. */
uint64_t parse_size(const char *text, bool megabytes);

/* From 1 to LIMIT; NAME is the option's, for the message. */
int parse_number(const char *name, const char *text, unsigned long limit, unsigned int *number,
		 struct error **err);

/* A disk's: whole sectors. */
int parse_disk_size(const char *name, const char *text, uint64_t *bytes, struct error **err);

/* A guest's memory: enough to boot. */
int check_memory(const char *text, struct error **err);

/* Joins WORDS to *APPEND, which is the caller's and may be NULL. vng takes no quotes in there. */
int add_append(char **append, const char *words, struct error **err);

/* Those of the host, at most eight. */
void default_cpus(char text[static CPUS_TEXT]);
