/* Parses sizes, numbers and words common to the command lines of `run` and `fstests`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

#define CPUS_TEXT 16

/* Parses a size with a unit ("512M"). A bare number is in MiB if MEGABYTES, otherwise in bytes.
 * Returns 0 if TEXT is not a size or is too large. */
uint64_t parse_size(const char *text, bool megabytes);

/* Parses a number from 1 to LIMIT. NAME is the option's, for the message. */
int parse_number(const char *name, const char *text, unsigned long limit, unsigned int *number,
		 struct error **err);

/* Parses a disk size: a multiple of 512 bytes. */
int parse_disk_size(const char *name, const char *text, uint64_t *bytes, struct error **err);

/* Checks that a guest can boot with this much memory; the other, also that the host has it. */
int check_memory_size(const char *text, struct error **err);
int check_memory(const char *text, struct error **err);

/* Appends WORDS to *APPEND, which may be NULL and which the caller frees. Rejects characters that
 * vng cannot pass on. */
int add_append(char **append, const char *words, struct error **err);

/* The number of the host's processors, at most eight. */
void default_cpus(char text[static CPUS_TEXT]);
