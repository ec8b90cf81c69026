/* frontend/archive/release.c: the contents of a release file. test_chain.c tests what counts as
 * signed. */
#include "frontend/archive/release.h"

#include "frontend/client/release_seen.h"

#include "lib/release_text.h"

#include "tap.h"

#define DATE "Date: Sat, 11 Jul 2026 10:16:37 UTC\n"
#define MADE 1783764997

/* Which release file is accepted for which suite and pocket, at which time. */
static void check_releases(void)
{
	static const struct {
		const char *what, *text, *suite, *pocket;
		time_t late; /* seconds after MADE */
		bool good;
	} rows[] = {
		{ "Ubuntu's", "Suite: jammy\nCodename: jammy\n" DATE, "jammy", "", 0, true },
		{ "Debian's", "Suite: oldstable\nCodename: bookworm\n" DATE, "bookworm", "", 0,
		  true },
		{ "Ubuntu's pocket", "Suite: jammy-updates\nCodename: jammy\n" DATE, "jammy",
		  "updates", 0, true },
		{ "Debian's pocket",
		  "Suite: oldstable-security\nCodename: bookworm-security\n" DATE, "bookworm",
		  "security", 0, true },
		{ "a pocket for the release", "Suite: jammy-updates\nCodename: jammy\n" DATE,
		  "jammy", "", 0, false },
		{ "the release for a pocket", "Suite: jammy\nCodename: jammy\n" DATE, "jammy",
		  "updates", 0, false },
		{ "another pocket", "Suite: jammy-updates\nCodename: jammy\n" DATE, "jammy",
		  "security", 0, false },
		{ "another release", "Suite: noble\nCodename: noble\n" DATE, "jammy", "", 0,
		  false },
		{ "dated in the future", "Suite: jammy\n" DATE, "jammy", "", -86400, false },
		{ "a clock that is a little slow", "Suite: jammy\n" DATE, "jammy", "", -60, true },
		{ "valid still", "Suite: jammy\nValid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n" DATE,
		  "jammy", "", 6 * 86400, true },
		{ "expired", "Suite: jammy\nValid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n" DATE,
		  "jammy", "", 8 * 86400, false },
		{ "an unreadable Valid-Until", "Suite: jammy\nValid-Until: soon\n" DATE, "jammy",
		  "", 0, false },
		{ "no date", "Suite: jammy\n", "jammy", "", 0, false },
		{ "a date in another time zone",
		  "Suite: jammy\nDate: Sat, 11 Jul 2026 10:16:37 CEST\n", "jammy", "", 0, false },
		{ "no name", DATE, "jammy", "", 0, false },
		{ "a name that only starts with the suite", "Suite: jammyish\n" DATE, "jammy", "",
		  0, false },
		{ "empty", "", "jammy", "", 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(release_free) struct release *release = NULL;
		_cleanup_error_ struct error *err = NULL;
		int result = release_parse(strdup(rows[i].text), "InRelease", &release, &err);

		if (result == 0)
			result = release_text_check(release->text, rows[i].suite, rows[i].pocket,
						    MADE + rows[i].late, &err);
		tap_check(rows[i].good ? result == 0 && release->made == MADE
				       : result == -1 && err && err->code == ERR_TRUST,
			  "release: %s", rows[i].what);
	}
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void check_entries(void)
{
	static const char text[] = "Suite: jammy\nAcquire-By-Hash: yes\n" DATE "MD5Sum:\n"
				   " 00112233445566778899aabbccddeeff 7 main/md5\nSHA256:\n " HEX
				   "      42 main/a\n " HEX " 43 main/a.xz\n " HEX
				   " x main/bad-size\n 0011 4 main/short\n " HEX "\n " HEX
				   " 44 main/last\nOther:\n " HEX " 9 main/other\n";
	static const struct {
		const char *path;
		uint64_t size; /* 0: missing */
	} rows[] = {
		{ "main/a", 42 },  { "main/a.xz", 43 },	   { "main/last", 44 },
		{ "main", 0 },	   { "main/bad-size", 0 }, { "main/short", 0 },
		{ "main/md5", 0 }, { "main/other", 0 },	   { "", 0 },
	};
	_cleanup_(release_free) struct release *release = NULL;
	char hex[2 * SHA256_LEN + 1];

	if (release_parse(strdup(text), "InRelease", &release, NULL) < 0)
		return tap_check(false, "entries");
	tap_check(release->by_hash, "Acquire-By-Hash");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct release_file file = { 0 };
		bool found = release_find(release, rows[i].path, &file);

		sha256_to_hex(file.sha256, hex);
		tap_check(found == (rows[i].size != 0) &&
				  (!found || (file.size == rows[i].size && tap_same(hex, HEX))),
			  "entry \"%s\"", rows[i].path);
	}
}

/* Each mirror has one canonical spelling. */
static void check_places(void)
{
	static const struct {
		const char *mirror, *place;
	} rows[] = {
		{ "http://a.example/ubuntu", "http://a.example/ubuntu" },
		{ "http://a.example/ubuntu//", "http://a.example/ubuntu" },
		{ "http://a.example", "http://a.example" },
		{ "http://a.example/", "http://a.example" },
		{ "HTTP://A.Example/Ubuntu", "http://a.example/Ubuntu" },
		{ "http://a.example:80/x", "http://a.example/x" },
		{ "https://a.example:443/x", "https://a.example/x" },
		{ "HTTP://a.example:80", "http://a.example" },
		{ "http://a.example:443/x", "http://a.example:443/x" },
		{ "https://a.example:8443/x", "https://a.example:8443/x" },
		{ "http://me:secret@a.example/x", "http://a.example/x" },
		{ "http://me@b:secret@a.example:80/x@y", "http://a.example/x@y" },
		{ "file:///srv/mirror/", "file:///srv/mirror" },
		{ "http://a.example/\u00e4 b", "http://a.example/%C3%A4%20b" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_free_ char *place = release_seen_place(rows[i].mirror);

		tap_check(tap_same(place, rows[i].place), "mirror: %s", rows[i].mirror);
	}
}

int main(void)
{
	check_releases();
	check_entries();
	check_places();
	return tap_done();
}
