#include "frontend/rootfs/publication_names.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/tree.h"
#include "lib/error.h"

#define RELEASE_MAX (1u << 20)

/* Whether the release file of ENTRY names NAME, or is missing: it is written last, and removed
 * first. */
static bool entry_is_of(int dists, const char *entry, const char *name)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_free_ char *path = NULL, *field = NULL, *text = NULL;

	if (asprintf(&path, "%s/InRelease", entry) < 0 ||
	    asprintf(&field, "\nRootfs-Name: %s\n", name) < 0)
		return false;
	text = tree_read(dists, path, RELEASE_MAX, NULL, &why);
	return text ? strstr(text, field) != NULL : why && why->code == ERR_MISSING;
}

unsigned publication_generation(int dists, const char *name, const char *entry)
{
	size_t length = strlen(name);
	unsigned long number;
	char digits[16];

	if (strncmp(entry, name, length) != 0 || entry[length] != '.')
		return 0;
	number = strtoul(entry + length + 1, NULL, 10);
	snprintf(digits, sizeof(digits), "%lu", number);
	if (number >= UINT32_MAX || strcmp(digits, entry + length + 1) != 0)
		return 0;
	return entry_is_of(dists, entry, name) ? (unsigned)number : 0;
}

bool publication_is_taken(int dists, const char *name)
{
	return !entry_is_of(dists, name, name);
}
