/* What every command line has in common: --help, --color, and the message for an option that the
 * command does not have. */
#pragma once

#include "frontend/commands/commands.h"

/* Looks at the options of COMMAND's line and takes out of it what is everyone's. Returns -1 where
 * the command is to go on, with getopt_long() ready to begin; else the exit status. */
int commandline_scan(const struct command *command, int *argc, char **argv);

/* The same for what stands before the command, which argv[optind] is then. HELP is rootlet's own.
 */
int commandline_scan_global(const char *help, int argc, char **argv);
