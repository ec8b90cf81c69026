#include "frontend/archive/package_words.h"

#include <string.h>

bool valid_package_version(const char *s)
{
	return valid_name(s, VERSION_MAX, NAME_ALL ".+~:-", "");
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
