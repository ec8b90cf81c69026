/* Choosing packages, under way: what resolve.c shares with its parts. */
#pragma once

#include <solv/pool.h>
#include <solv/solver.h>

#include "frontend/archive/choices.h"
#include "frontend/archive/resolve_request.h"
#include "lib/error.h"

#define PROBLEMS_SHOWN 3

/* Data of an index that libsolv does not store. */
struct loaded {
	char *base; /* names of required and essential packages */
	bool sound; /* the repository has all sizes */
};

struct resolution {
	Pool *pool;
	struct loaded *loaded;
	size_t loaded_count;
	Solver *solver;
	Queue job;
	Map settled; /* names that have a preference in JOB */
	Map chosen;  /* packages, with those that stay installed */
	char **left_out;
	size_t left_out_count;
	const char *suite;
	bool removing;
};

/* libsolv's MAPSET, with a cast: with sanitizers gcc warns about its narrowing conversion. */
static inline void resolution_mark(Map *map, Id id)
{
	map->map[id >> 3] = (unsigned char)(map->map[id >> 3] | 1 << (id & 7));
}
