#include "frontend/archive/pockets.h"

#include <stdio.h>

#define SECURITY 2

const char *const fetch_pockets[FETCH_POCKETS] = { "", "updates", "security", REPOSITORY_NAMES };

uint32_t pockets_count(const struct origin *o)
{
	return o->published ? 1 : ARCHIVE_POCKETS + (uint32_t)o->repository_count;
}

const struct repository *pockets_repository(const struct origin *o, uint32_t number)
{
	return number < ARCHIVE_POCKETS ? NULL : &o->repositories[number - ARCHIVE_POCKETS];
}

void pockets_suite(const struct origin *o, uint32_t number, char suite[static POCKET_SUITE_SIZE])
{
	const struct repository *repository = pockets_repository(o, number);
	const char *name = repository ? "" : fetch_pockets[number];

	snprintf(suite, POCKET_SUITE_SIZE, "%s%s%s", repository ? repository->suite : o->suite,
		 *name ? "-" : "", name);
}

const char *pockets_mirror(const struct origin *o, uint32_t number, size_t url)
{
	const struct repository *repository = pockets_repository(o, number);

	if (repository)
		return repository->mirror;
	return number == SECURITY && o->security[url] ? o->security[url] : o->mirror;
}

char *const *pockets_components(const struct origin *o, uint32_t number)
{
	const struct repository *repository = pockets_repository(o, number);

	return repository ? repository->components : o->components;
}

bool pockets_required(uint32_t number)
{
	return number == 0 || number >= ARCHIVE_POCKETS;
}
