/* Completion of a command line, for the scripts in frontend/completion. */
#pragma once

#include "frontend/commands/commands.h"

#define COMPLETE_COMMAND "__complete"

/* ARGV are the words after "rootlet", the last of them the one to complete. Prints a candidate a
 * line, "WORD" or "WORD<tab>what it is"; ":files" or ":folders" where the shell knows better. */
int complete(const struct command *commands, size_t count, int argc, char **argv);
