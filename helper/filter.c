#include "helper/filter.h"

#include <fnmatch.h>
#include <string.h>

/* Whether what PATTERN brings back could lie below PATH. dpkg(1) only keeps what is as deep as the
 * part of the pattern without wildcards; the directories above are needed as well. */
static bool leads_to(const char *path, const char *pattern)
{
	size_t length = strcspn(pattern, "*?[\\"), above = strlen(path);

	if (above < length && pattern[above] == '/' && strncmp(path, pattern, above) == 0)
		return true;
	while (length > 0 && pattern[length - 1] == '/')
		length--;
	return strncmp(path, pattern, length) == 0;
}

bool filters_skip(const struct filters *filters, const char *path, bool folder)
{
	bool skip = false;

	for (uint32_t i = 0; i < filters->count; i++)
		if (fnmatch(filters->list[i].pattern, path, 0) == 0)
			skip = !filters->list[i].include;
	for (uint32_t i = 0; skip && folder && i < filters->count; i++)
		if (filters->list[i].include && leads_to(path, filters->list[i].pattern))
			return false;
	return skip;
}
