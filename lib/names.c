#include "lib/names.h"

#include <string.h>

bool valid_name(const char *s, size_t most, const char *first, const char *further)
{
	size_t n;

	if (!s || !*s || !strchr(first, *s))
		return false;
	for (n = 1; s[n]; n++)
		if (n >= most || !(strchr(first, s[n]) || strchr(further, s[n])))
			return false;
	return true;
}

bool valid_rootfs_name(const char *s)
{
	return valid_name(s, ROOTFS_NAME_MAX, NAME_ALL "_", ".+-");
}

bool valid_archive_word(const char *s)
{
	return valid_name(s, SUITE_MAX, NAME_LOWER NAME_DIGITS, ".+-");
}

bool valid_account_name(const char *s)
{
	return valid_name(s, ACCOUNT_NAME_MAX, NAME_ALL "_", ".-") &&
	       s[strspn(s, NAME_DIGITS)] != '\0';
}
