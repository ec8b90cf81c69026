#include "frontend/fstests/exclude_values.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "frontend/fstests/check_output.h"

#define NUMBERS 3     /* of a version: 6.1.9 */
#define WORD_MOST 128 /* of a pattern */
#define HASH_LEAST 7  /* as git log --oneline prints it */
#define HASH_MOST 64  /* SHA-256 */

bool exclude_test_valid(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-*?[]!/";
	const char *slash = strchr(word, '/');
	size_t length = test_name_length(word);

	if (length && !word[length])
		return true;
	return slash && slash != word && slash[1] && !strchr(slash + 1, '/') &&
	       strpbrk(word, "*?[") && strlen(word) < WORD_MOST && !word[strspn(word, plain)];
}

/* --- patterns ------------------------------------------------------------------------------- */

bool exclude_patterns_valid(const char *value)
{
	for (const char *word = value;; word++) {
		size_t length = strcspn(word, ",");

		if (!length || length >= WORD_MOST)
			return false;
		word += length;
		if (!*word)
			return true;
	}
}

bool exclude_patterns_match(const char *value, const char *name)
{
	if (!value)
		return true;
	for (const char *word = value; name; word++) {
		size_t length = strcspn(word, ",");
		char pattern[WORD_MOST];

		snprintf(pattern, sizeof(pattern), "%.*s", (int)length, word);
		if (strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0)
			return true;
		word += length;
		if (!*word)
			break;
	}
	return false;
}

/* --- versions ------------------------------------------------------------------------------- */

/* Reads up to three numbers, and returns how many there are. END is what follows them. */
static int exclude_read_version(const char *text, unsigned long numbers[static NUMBERS],
				const char **end)
{
	int count = 0;

	*end = text;
	while (count < NUMBERS && isdigit((unsigned char)*text)) {
		char *after;

		numbers[count++] = strtoul(text, &after, 10);
		*end = after;
		if (*after != '.')
			break;
		text = after + 1;
	}
	return count;
}

static const char *operator_end(const char *word)
{
	if (*word == '<' || *word == '>')
		return word + 1 + (word[1] == '=');
	return word + (*word == '=');
}

bool exclude_kernel_valid(const char *value)
{
	for (const char *word = value;; word++) {
		unsigned long numbers[NUMBERS];

		if (!exclude_read_version(operator_end(word), numbers, &word))
			return false;
		if (!*word)
			return true;
		if (*word != ',')
			return false;
	}
}

/* Whether VERSION, of COUNT numbers, fits "<6.5". */
static bool version_fits(const char *word, const unsigned long version[static NUMBERS])
{
	unsigned long bound[NUMBERS];
	const char *end;
	int count = exclude_read_version(operator_end(word), bound, &end);
	int order = 0;

	for (int i = 0; i < count && order == 0; i++)
		order = version[i] < bound[i] ? -1 : version[i] > bound[i];
	if (*word == '<')
		return order < 0 || (order == 0 && word[1] == '=');
	if (*word == '>')
		return order > 0 || (order == 0 && word[1] == '=');
	return order == 0;
}

bool exclude_kernel_matches(const char *value, const char *version)
{
	unsigned long numbers[NUMBERS] = { 0 };
	const char *end;

	if (!value)
		return true;
	if (!version || !exclude_read_version(version, numbers, &end))
		return false;
	for (const char *word = value; word; word = strchr(word, ',')) {
		word += *word == ',';
		if (!version_fits(word, numbers))
			return false;
	}
	return true;
}

/* --- dates and references --------------------------------------------------------------------- */

bool exclude_date_valid(const char *value)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	static const char form[] = "0000-00-00";
	int year, month, day;
	bool leap;

	for (size_t i = 0; i < sizeof(form); i++)
		if (form[i] == '0' ? !isdigit((unsigned char)value[i]) : value[i] != form[i])
			return false;
	year = (int)strtol(value, NULL, 10);
	month = (int)strtol(value + 5, NULL, 10);
	day = (int)strtol(value + 8, NULL, 10);
	leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] + (month == 2 && leap);
}

bool exclude_reference_valid(const char *value)
{
	static const char *const schemes[] = { "https://", "http://" };
	size_t length = strlen(value);

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (text_has_prefix(value, schemes[i]))
			return length > strlen(schemes[i]);
	return length >= HASH_LEAST && length <= HASH_MOST &&
	       strspn(value, "0123456789abcdefABCDEF") == length;
}
