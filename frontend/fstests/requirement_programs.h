/* The commands that fstests looks up and keeps in variables such as XFS_IO_PROG. */
#pragma once

#include "frontend/fstests/requirement_pieces.h"

/* If WORD looks for a program, as "$(type -P xfs_io)" does, its name. */
bool requirement_program_lookup(const char *word, char name[static SHELL_WORD_SIZE]);

/* The variable that WORD, "$NAME" or "${NAME} -f", begins with. */
bool requirement_program_variable(const char *word, char name[static SHELL_WORD_SIZE]);

/* Remembers the assignment in LINE to a variable called …_PROG, the only ones that tests ask for.
 */
void requirement_program_assign(struct requirement_scan *scan, const char *line,
				uint32_t filesystems);

/* Adds the commands that VARIABLE may contain. What is looked up by name counts; where a variable
 * is only set to others, these count. Returns whether the variable is known. */
bool requirement_program_add(struct requirement_reader *r, const char *variable,
			     uint32_t filesystems);

/* Adds the command that WORD, the argument of _require_command, stands for. NAME is what its
 * message calls it, or "". */
void requirement_program_ask(struct requirement_reader *r, const char *word, const char *name,
			     uint32_t filesystems);
