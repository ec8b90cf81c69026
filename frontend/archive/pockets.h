/* Where the package lists of an origin are. They are numbered: first the pockets of the release's
 * archive, then the repositories, in the order given. */
#pragma once

#include "frontend/archive/source.h"
#include "proto/validate.h"

#define ARCHIVE_POCKETS 3
#define FETCH_POCKETS (ARCHIVE_POCKETS + REPOSITORIES_MAX)
/* By number: "", "updates", "security", "repository-1", … */
extern const char *const fetch_pockets[FETCH_POCKETS];

#define POCKET_SUITE_SIZE (2 * (SUITE_MAX + 1))

uint32_t pockets_count(const struct origin *o);

/* The repository NUMBER, or NULL if it is a pocket. */
const struct repository *pockets_repository(const struct origin *o, uint32_t number);

/* "jammy-updates" */
void pockets_suite(const struct origin *o, uint32_t number, char suite[static POCKET_SUITE_SIZE]);

/* URL is the index of the pocket's mirror that has it. */
const char *pockets_mirror(const struct origin *o, uint32_t number, size_t url);

char *const *pockets_components(const struct origin *o, uint32_t number); /* NULL-terminated */

/* False if the archive may do without it. */
bool pockets_required(uint32_t number);
