/* Collects what pieces of fstests' shell code ask for and which functions they call. A piece is a
 * function of common/, the code of such a file outside functions, or a whole test. */
#pragma once

#include <stdbool.h>

#include "frontend/fstests/requirement.h"
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

void requirement_scan_clear(struct requirement_scan *scan);

/* The first pass over a file of common/: its functions and what its variables are. NAME is
 * "common/dump". */
void requirement_scan_names(struct requirement_scan *scan, const char *name, const char *text);

/* The second pass, once all names are known. */
void requirement_scan_file(struct requirement_scan *scan, const char *name, const char *text);

/* Reads a test into piece 0. */
void requirement_scan_test(struct requirement_scan *scan, const char *text);
