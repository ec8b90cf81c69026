#include "frontend/archive/dated.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/archive/mirror_url.h"
#include "frontend/cli/text.h"
#include "lib/cleanup.h"
#include "lib/names.h"

#define DEBIAN_DATED "https://snapshot.debian.org/archive/debian"
#define UBUNTU_DATED "https://snapshot.ubuntu.com/ubuntu"

#define STAMP_FORM "dddddddd-dddddd-" /* d: a digit; -: not one */
#define STAMP_SIZE sizeof("20240301T030400Z")

/* DATE as "20240301T030400Z". False if it has none of the forms of dated_parse(). */
static bool stamp_expand(const char *date, char stamp[static STAMP_SIZE])
{
	size_t length = strlen(date);

	if (length == 10 && date[4] == '-' && date[7] == '-')
		snprintf(stamp, STAMP_SIZE, "%.4s%.2s%.2sT000000Z", date, date + 5, date + 8);
	else if (length == 8)
		snprintf(stamp, STAMP_SIZE, "%.8sT000000Z", date);
	else if (length == STAMP_SIZE - 1)
		snprintf(stamp, STAMP_SIZE, "%.16s", date);
	else
		return false;
	for (size_t i = 0; stamp[i]; i++)
		if ((STAMP_FORM[i] == 'd') != (strchr(NAME_DIGITS, stamp[i]) != NULL))
			return false;
	return stamp[8] == 'T' && stamp[15] == 'Z';
}

int64_t dated_parse(const char *date)
{
	char stamp[STAMP_SIZE], again[STAMP_SIZE];
	struct tm tm = { 0 };
	time_t when;

	if (!stamp_expand(date, stamp) ||
	    sscanf(stamp, "%4d%2d%2dT%2d%2d%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		   &tm.tm_min, &tm.tm_sec) != 6)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	when = timegm(&tm);
	/* 30 February becomes 1 March. */
	strftime(again, sizeof(again), "%Y%m%dT%H%M%SZ", &tm);
	return when > 0 && when <= UINT32_MAX && strcmp(stamp, again) == 0 ? when : 0;
}

static char *dated_default(const char *distribution, const char *arch, const char *date,
			   struct error **err)
{
	bool debian = distribution && strcmp(distribution, "Debian") == 0;
	bool ubuntu = distribution && strcmp(distribution, "Ubuntu") == 0;
	char stamp[STAMP_SIZE], *url = NULL;

	/* Its service has no archive of ports. */
	ubuntu = ubuntu && (strcmp(arch, "amd64") == 0 || strcmp(arch, "i386") == 0);
	if (!debian && !ubuntu)
		error_set(err, ERR_INPUT,
			  "no dated archive is known for %s on %s; pass the URL of one with "
			  "--snapshot",
			  distribution ? distribution : "this release", arch);
	else if (!stamp_expand(date, stamp) ||
		 asprintf(&url, "%s/%s", debian ? DEBIAN_DATED : UBUNTU_DATED, stamp) < 0)
		error_no_memory(err);
	return url;
}

int dated_plan(const char *snapshot, const char *distribution, const char *arch, char **mirror,
	       int64_t *when, struct error **err)
{
	_cleanup_free_ char *url = NULL;
	const char *last;

	*when = dated_parse(snapshot);
	url = *when ? dated_default(distribution, arch, snapshot, err)
		    : mirror_url_make(snapshot, NULL);
	if (*when && !url)
		return -1;
	last = url ? strrchr(url, '/') : NULL;
	if (last)
		*when = dated_parse(last + 1);
	if (!*when)
		return error_set(err, ERR_INPUT,
				 "cannot use the dated archive \"%.200s\": it is neither a date, "
				 "such as 2024-03-01 or 20240301T030400Z, nor an http, https or "
				 "file URL that ends with one",
				 snapshot);
	if (*when > time(NULL))
		return error_set(err, ERR_INPUT,
				 "cannot use the dated archive \"%.200s\": its date is in the "
				 "future; set this host's clock if it is wrong (see: date)",
				 snapshot);
	*mirror = STEAL_PTR(url);
	return 0;
}

char *dated_security(const char *mirror)
{
	const char *last = strrchr(mirror, '/');
	size_t length = last && dated_parse(last + 1) ? (size_t)(last - mirror) : strlen(mirror);
	char *sibling = NULL;

	if (length < 7 || memcmp(mirror + length - 7, "/debian", 7) != 0 ||
	    asprintf(&sibling, "%.*s-security%s", (int)length, mirror, mirror + length) < 0)
		return NULL;
	return sibling;
}
