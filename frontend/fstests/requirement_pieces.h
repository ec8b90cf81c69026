/* Collects what pieces of fstests' shell code ask for and which functions they call. A piece is a
 * function of common/, the code of such a file outside functions, or a whole test. */
#pragma once

#include <stdbool.h>

#include "frontend/fstests/requirement.h"
#include "frontend/fstests/shell_conditions.h"
#include "frontend/fstests/shell_text.h"
#include "frontend/fstests/test_index.h"

/* A requirement or a piece that a piece refers to, and for which filesystems. */
struct requirement_edge {
	uint32_t target, filesystems;
};

struct requirement_edges {
	struct requirement_edge *list;
	size_t count;
};

struct requirement_piece {
	char *name; /* of the function, or "common/dump" */
	struct requirement_edges needs, calls;
	size_t marked_in, marked_at;
	uint32_t reached; /* filesystems for which the current test gets here */
};

/* What a variable such as XFS_IO_PROG may contain. */
struct requirement_program {
	char *variable;
	char *command;	      /* "": none that is installed, such as "$here/src/fsx" */
	bool alias;	      /* COMMAND is another variable */
	uint32_t filesystems; /* for which it is assigned */
};

struct requirement_scan {
	struct requirement *needs;
	struct requirement_piece *pieces; /* piece 0 is reused for each test */
	struct requirement_program *programs;
	size_t need_count, piece_count, program_count, edge_count;
	struct test_index need_index, piece_index, program_index;
	size_t piece_number; /* counts the pieces read, for marks */
	bool failed;	     /* out of memory */
	bool excessive;	     /* more of something than any fstests tree has */
};

/* A piece of code as it is read. */
struct requirement_reader {
	struct requirement_scan *scan;
	const char *text; /* of the whole file */
	size_t piece;
	struct shell_conditions conditions;
	bool modules;	      /* modprobe and modinfo count */
	unsigned int lookups; /* of the file's own variables, left */
	/* Program that the previous line, an `if`, looked for, and whether it must be there for the
	 * line after that to run. */
	char tested[SHELL_WORD_SIZE];
	bool present;
};

void requirement_pieces_clear(struct requirement_scan *scan);

/* The position of a piece, or TEST_INDEX_NONE. */
size_t requirement_piece_find(const struct requirement_scan *scan, const char *name);

/* Adds a piece, unless there is one of that name. */
void requirement_piece_add(struct requirement_scan *scan, const char *name);

/* Adds to the current piece what it asks for, or the piece that it calls; on these FILESYSTEMS. */
void requirement_add_need(struct requirement_reader *r, enum requirement_kind kind,
			  const char *name, uint32_t filesystems);
void requirement_add_call(struct requirement_reader *r, const char *name, uint32_t filesystems);
