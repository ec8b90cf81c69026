/* Reduces a release's Contents indexes, which list every file of every package, to the programs
 * among them. Format: DebianRepository/Format in Debian's wiki. */
#pragma once

#include <stddef.h>

#include "frontend/archive/index_reader.h"

struct program_list;

/* COMPONENTS, NULL-terminated, remain the caller's: packages of others are left out, unless it is
 * NULL. NULL if out of memory. */
struct program_list *program_list_new(const char *const *components);
void program_list_free(struct program_list **list);

/* Takes the next piece of an index; CONTEXT is the list. ERR_TRUST if an index has more programs
 * than any release. Skips lines that are malformed or too long. */
index_take program_list_take;

/* Ends an index: the next one can follow. */
int program_list_end(struct program_list *list, struct error **err);

/* The sorted lines "PROGRAM\tPACKAGE\n", without repetitions. Returns malloc'ed text, or NULL with
 * ERR set. */
char *program_list_text(struct program_list *list, size_t *size, struct error **err);
