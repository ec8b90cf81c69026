/* The directories below dists/ of a publication: NAME, and NAME.N for each generation of it. A
 * rootfs may be called like a generation of another one: only its InRelease tells. */
#pragma once

#include <stdbool.h>

/* Returns N if ENTRY of the directory DISTS is generation N of NAME, or what an interrupted rootlet
 * left of it; 0 if it is something else. */
unsigned publication_generation(int dists, const char *name, const char *entry);

/* Whether DISTS has an entry NAME that is of another rootfs. */
bool publication_is_taken(int dists, const char *name);
