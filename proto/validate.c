#include "validate.h"

#include <string.h>

bool valid_package_name(const char *s)
{
	return valid_name(s, PACKAGE_NAME_MAX, NAME_LOWER NAME_DIGITS, "+.-") && s[1];
}

bool valid_package_choice(const char *s)
{
	char name[PACKAGE_NAME_MAX + 1];

	for (; s; s++) {
		size_t length = strcspn(s, "|");

		if (length >= sizeof(name))
			return false;
		memcpy(name, s, length);
		name[length] = '\0';
		if (!valid_package_name(name))
			return false;
		s += length;
		if (!*s)
			return true;
	}
	return false;
}

bool valid_account_id(uint32_t id)
{
	return id >= 1 && id <= ID_MAX_IN_ROOTFS;
}

bool valid_tree_mode(uint32_t mode)
{
	return mode == MODE_CLOSED || mode == MODE_ENTERABLE;
}

bool valid_inner_path(const char *s)
{
	return valid_name(s, INNER_PATH_MAX, "/", NAME_ALL "_.+-") && !strstr(s, "..");
}

bool valid_filter_pattern(const char *s)
{
	size_t n;

	if (!s || s[0] != '/')
		return false;
	for (n = 0; s[n]; n++)
		if (n + 1 >= FILTER_PATTERN_SIZE || s[n] <= ' ' || s[n] > '~')
			return false;
	return true;
}
