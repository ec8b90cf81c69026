/* Completion of a command line, for the scripts in frontend/completion. */
#pragma once

#include "frontend/commands/commands.h"

#define COMPLETE_COMMAND "__complete"

/* ARGV holds the words after "rootlet"; the last one is completed. Prints one candidate per line,
 * "WORD" or "WORD<tab>description", and `:files` or `:directories` if the shell should offer those.
 */
int complete(const struct command *const *commands, size_t count, int argc, char **argv);
