#include "helper/worker/unpack/filter.h"

#include <fnmatch.h>
#include <string.h>

/* Whether PATTERN could bring back anything below PATH. dpkg(1) keeps only directories as deep as
 * the part of the pattern without wildcards; those above are needed as well. */
static bool leads_to(const char *path, const char *pattern)
{
	size_t length = strcspn(pattern, "*?[\\"), above = strlen(path);

	if (above < length && pattern[above] == '/' && strncmp(path, pattern, above) == 0)
		return true;
	while (length > 0 && pattern[length - 1] == '/')
		length--;
	return strncmp(path, pattern, length) == 0;
}

bool filters_skip(const struct words *filters, const char *path, bool dir)
{
	const char *filter = NULL;
	bool skip = false;

	while ((filter = words_next(filters, filter)))
		if (fnmatch(filter + 1, path, 0) == 0)
			skip = *filter == '-';
	while (skip && dir && (filter = words_next(filters, filter)))
		if (*filter == '+' && leads_to(path, filter + 1))
			return false;
	return skip;
}
