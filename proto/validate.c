#include "proto/validate.h"

#include <string.h>

bool valid_package_name(const char *s)
{
	return valid_name(s, PACKAGE_NAME_MAX, NAME_LOWER NAME_DIGITS, "+.-") && s[1];
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

bool valid_filter(const char *s)
{
	return s && (*s == '-' || *s == '+') && valid_filter_pattern(s + 1);
}

static bool in_list(const char *s, const char *const *list)
{
	for (; s && *list; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

bool valid_pocket(const char *s)
{
	return in_list(s, (const char *const[]){ "", "updates", "security", NULL });
}

bool valid_repository(const char *s)
{
	return in_list(s, (const char *const[]){ REPOSITORY_NAMES, NULL });
}

bool valid_list_place(const char *s)
{
	return valid_pocket(s) || valid_repository(s);
}

bool valid_engine(const char *s)
{
	return in_list(s, (const char *const[]){ "native", "debootstrap", "pieces", NULL });
}

bool valid_image_format(const char *s)
{
	return in_list(s, (const char *const[]){ "erofs", "ext4", "tar", "squashfs", NULL });
}

bool valid_mirror(const char *s)
{
	static const char *const schemes[] = { "http://", "https://", "file:///" };
	bool known = !*s;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		known = known || strncmp(s, schemes[i], strlen(schemes[i])) == 0;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return known;
}

bool valid_user_or_root(const char *s)
{
	return in_list(s, (const char *const[]){ "root", NULL }) || valid_account_name(s);
}

bool valid_any_number(uint32_t number)
{
	(void)number;
	return true;
}

bool valid_argument(const char *s)
{
	return s;
}
