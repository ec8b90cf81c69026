/* What all command lines have in common: --help, --color, and the errors for wrong options. */
#pragma once

#include "frontend/commands/commands.h"

/* Checks the options of COMMAND's line, and handles and removes the common ones. Returns -1 if the
 * command should go on, with getopt_long() ready to start; else the exit status. */
int commandline_scan(const struct command *command, int *argc, char **argv);

/* The same for the options before the command, which is then argv[optind]. HELP is rootlet's own.
 */
int commandline_scan_global(const char *help, int argc, char **argv);
