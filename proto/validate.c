#include "validate.h"

#include <string.h>

/* Locale-free on purpose: isalpha() and its like follow the environment. */
static bool one_of(char c, const char *extra)
{
	return c != '\0' && strchr(extra, c) != NULL;
}

static bool lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alphanumeric(char c)
{
	return lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

static bool word(const char *s, size_t most, bool (*letter)(char), const char *first,
		 const char *further)
{
	size_t n;

	if (!s || !(letter(s[0]) || one_of(s[0], first)))
		return false;
	for (n = 1; s[n]; n++)
		if (n >= most || !(letter(s[n]) || one_of(s[n], further)))
			return false;
	return true;
}

bool valid_rootfs_name(const char *s)
{
	return word(s, ROOTFS_NAME_MAX, alphanumeric, "_", "_.+-");
}

bool valid_archive_word(const char *s)
{
	return word(s, SUITE_MAX, lower_or_digit, "", ".+-");
}

bool valid_package_name(const char *s)
{
	return word(s, PACKAGE_NAME_MAX, lower_or_digit, "", "+.-") && s[1];
}

bool valid_package_version(const char *s)
{
	return word(s, VERSION_MAX, alphanumeric, ".+~:-", ".+~:-");
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

bool valid_account_name(const char *s)
{
	return word(s, ACCOUNT_NAME_MAX, alphanumeric, "_", "_.-") &&
	       s[strspn(s, "0123456789")] != '\0';
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
	size_t n;

	if (!s || s[0] != '/')
		return false;
	for (n = 0; s[n]; n++)
		if (n >= 255 || !(alphanumeric(s[n]) || one_of(s[n], "/_.+-")))
			return false;
	return !strstr(s, "..");
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

bool sha256_from_hex(const char *hex, size_t length, uint8_t out[static SHA256_LEN])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	if (length != 2 * SHA256_LEN)
		return false;
	for (i = 0; i < SHA256_LEN; i++) {
		const char *high = memchr(digits, hex[2 * i], 16);
		const char *low = memchr(digits, hex[2 * i + 1], 16);

		if (!high || !low)
			return false;
		out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

void sha256_to_hex(const uint8_t sum[static SHA256_LEN], char out[static 2 * SHA256_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < SHA256_LEN; i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
	out[2 * SHA256_LEN] = '\0';
}
