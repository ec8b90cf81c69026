#include "lib/release_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/deb822.h"
#include "lib/hex_read.h"
#include "lib/names.h"

#define CLOCK_SKEW (60 * 60) /* seconds by which two clocks may differ */
#define FIELD_MAX 128	     /* longer than the name of any suite and pocket */

/* Copies the field as a string, cut off if it is too long. False if TEXT does not have it. */
static bool take_field(const char *text, const char *name, char value[static FIELD_MAX])
{
	size_t size = 0;
	const char *found = stanza_field(text, strlen(text), name, &size);

	snprintf(value, FIELD_MAX, "%.*s", size < FIELD_MAX ? (int)size : FIELD_MAX - 1,
		 found ? found : "");
	return found;
}

int64_t release_text_parse_time(const char *date)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char *const zones[] = { "UTC", "GMT", "Z", "+0000" };
	struct tm tm = { 0 };
	char month[4], zone[6];
	const char *found;

	if (sscanf(date, "%*3s, %2d %3s %4d %2d:%2d:%2d %5s", &tm.tm_mday, month, &tm.tm_year,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, zone) != 7 ||
	    strlen(month) != 3 || !(found = strstr(months, month)) || (found - months) % 3 != 0)
		return -1;
	tm.tm_mon = (int)(found - months) / 3;
	tm.tm_year -= 1900;
	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		if (strcmp(zone, zones[i]) == 0)
			return timegm(&tm) > 0 ? timegm(&tm) : -1;
	return -1;
}

int64_t release_text_time(const char *text, const char *field)
{
	char value[FIELD_MAX];

	return take_field(text, field, value) ? release_text_parse_time(value) : 0;
}

/* Debian's pockets have a Codename of their own; Ubuntu's have a Suite that begins with the
 * Codename. */
static bool is_for(const char *text, const char *want)
{
	char code[FIELD_MAX], suite[FIELD_MAX];
	bool has_code = take_field(text, "Codename", code);
	bool has_suite = take_field(text, "Suite", suite);
	bool ubuntu = has_suite && (!has_code || strncmp(suite, code, strlen(code)) == 0);

	return ubuntu ? strcmp(suite, want) == 0 : has_code && strcmp(code, want) == 0;
}

static int check_times(const char *text, const char *name, int64_t now, struct error **err)
{
	int64_t date = release_text_time(text, "Date");
	int64_t until = release_text_time(text, "Valid-Until");
	char words[FIELD_MAX];

	take_field(text, "Date", words);
	if (date <= 0)
		return error_set(err, ERR_TRUST,
				 "cannot trust the release file of %s: it has no %s", name,
				 date ? "date that can be read" : "date");
	if (until < 0)
		return error_set(err, ERR_TRUST,
				 "cannot trust the release file of %s: its Valid-Until date cannot "
				 "be read",
				 name);
	if (date > now + CLOCK_SKEW)
		return error_set(err, ERR_TRUST,
				 "the release file of %s has a date in the future: %.40s; set "
				 "this host's clock if it is wrong (see: date), or name another "
				 "mirror with --mirror URL",
				 name, words);
	if (until && until < now)
		return error_set(err, ERR_TRUST,
				 "the release file of %s has expired: it is from %.40s, and "
				 "the mirror no longer follows the archive; set this host's clock "
				 "if it is wrong (see: date), or name another mirror with "
				 "--mirror URL; for a dated archive, use create --snapshot URL",
				 name, words);
	return 0;
}

int release_text_check(const char *text, const char *suite, const char *pocket, int64_t now,
		       struct error **err)
{
	char name[2 * SUITE_MAX + 2], have_suite[FIELD_MAX], have_code[FIELD_MAX];

	snprintf(name, sizeof(name), "%s%s%s", suite, *pocket ? "-" : "", pocket);
	if (!is_for(text, name))
		return error_set(err, ERR_TRUST,
				 "the mirror's release file for %s is of another release or "
				 "pocket: suite %.48s, codename %.48s; name another mirror with "
				 "--mirror URL",
				 name, take_field(text, "Suite", have_suite) ? have_suite : "none",
				 take_field(text, "Codename", have_code) ? have_code : "none");
	return check_times(text, name, now, err);
}

/* Parses " HASH SIZE PATH". False if LINE is not the entry of PATH. */
static bool parse_entry(const char *line, size_t length, const char *path,
			uint8_t sha256[static SHA256_LEN], uint64_t *size)
{
	char entry[512], hex[2 * SHA256_LEN + 1], name[256];

	/* sscanf() measures the whole rest of the text, so cut the line first. */
	if (length >= sizeof(entry))
		return false;
	memcpy(entry, line, length);
	entry[length] = '\0';
	return sscanf(entry, " %64[0-9a-f] %" SCNu64 " %255s", hex, size, name) == 3 &&
	       strcmp(name, path) == 0 && sha256_from_hex(hex, strlen(hex), sha256);
}

bool release_text_find(const char *text, const char *path, uint8_t sha256[static SHA256_LEN],
		       uint64_t *size)
{
	size_t length = 0;
	const char *line = stanza_lines(text, strlen(text), "SHA256", &length);
	const char *end = line ? line + length : NULL;

	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop)
			stop = end;
		if (parse_entry(line, (size_t)(stop - line), path, sha256, size))
			return true;
		line = stop + 1;
	}
	return false;
}
