/* frontend/release.c: what counts as signed, and what a release file says. */
#include "frontend/release.h"

#include "frontend/release_seen.h"

#include "signed_files.h"

#define HEAD "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
#define BODY                                                                                       \
	"Origin: Test\n"                                                                           \
	"Suite: jammy-updates\n"                                                                   \
	"Codename: jammy\n"                                                                        \
	"Date: Sat, 11 Jul 2026 10:16:37 UTC\n"                                                    \
	"- - a line that begins with a dash\n"                                                     \
	"SHA256:\n"                                                                                \
	" 0000000000000000000000000000000000000000000000000000000000000000 0 main/x\n"
#define SIGNATURE                                                                                  \
	"-----BEGIN PGP SIGNATURE-----\n"                                                          \
	"\n"                                                                                       \
	"iIcEARYIAC8WIQSnb1yVfIrcX2Ai2WRpYtv51T0zCwUCXgvhABEcdGVzdEBleGFt\n"                       \
	"cGxlLm9yZwAKCRBpYtv51T0zC66WAQDRbjPL6YCoVWiCq4UWu2GXBUsuRtVgeXLD\n"                       \
	"cLcVB35niQEAtwuGtnYBsIA3bvXxnAUHv2AiEO0pKuH4jGnAKWpv0QA=\n"                               \
	"=Z79a\n"                                                                                  \
	"-----END PGP SIGNATURE-----\n"

/* Public keys: BODY is signed with the first. Both were made for this test. */
// clang-format off
static const unsigned char key_test[] = {
	0x98, 0x33, 0x04, 0x5e, 0x0b, 0xe1, 0x00, 0x16, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01,
	0xda, 0x47, 0x0f, 0x01, 0x01, 0x07, 0x40, 0x5a, 0xb5, 0xf8, 0x09, 0xd5, 0x69, 0x5b,
	0x45, 0xae, 0xaf, 0x96, 0xbe, 0xef, 0x07, 0x37, 0x2a, 0x92, 0x22, 0xd1, 0x54, 0xe2,
	0xfd, 0xe4, 0xa4, 0x7a, 0x26, 0xd8, 0x7b, 0x54, 0x94, 0x68, 0x49, 0xb4, 0x17, 0x74,
	0x65, 0x73, 0x74, 0x20, 0x3c, 0x74, 0x65, 0x73, 0x74, 0x40, 0x65, 0x78, 0x61, 0x6d,
	0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x3e, 0x88, 0x90, 0x04, 0x13, 0x16, 0x08,
	0x00, 0x38, 0x16, 0x21, 0x04, 0xa7, 0x6f, 0x5c, 0x95, 0x7c, 0x8a, 0xdc, 0x5f, 0x60,
	0x22, 0xd9, 0x64, 0x69, 0x62, 0xdb, 0xf9, 0xd5, 0x3d, 0x33, 0x0b, 0x05, 0x02, 0x5e,
	0x0b, 0xe1, 0x00, 0x02, 0x1b, 0x03, 0x05, 0x0b, 0x09, 0x08, 0x07, 0x02, 0x06, 0x15,
	0x0a, 0x09, 0x08, 0x0b, 0x02, 0x04, 0x16, 0x02, 0x03, 0x01, 0x02, 0x1e, 0x01, 0x02,
	0x17, 0x80, 0x00, 0x0a, 0x09, 0x10, 0x69, 0x62, 0xdb, 0xf9, 0xd5, 0x3d, 0x33, 0x0b,
	0x2e, 0xb8, 0x01, 0x00, 0xfc, 0xc1, 0x65, 0x3a, 0xff, 0xac, 0x43, 0xec, 0x3d, 0x03,
	0x30, 0x7a, 0x58, 0xdf, 0x1f, 0x1c, 0xbd, 0x87, 0xcb, 0x5c, 0x2f, 0x82, 0x7e, 0xc2,
	0xfc, 0xf4, 0x16, 0xdc, 0x45, 0x65, 0x4a, 0x77, 0x01, 0x00, 0xb9, 0xfa, 0xb7, 0x82,
	0x8e, 0x76, 0x79, 0x2e, 0x66, 0x54, 0xc2, 0x7b, 0xc2, 0x84, 0xf3, 0xf1, 0xfb, 0x9f,
	0x3d, 0xe3, 0x66, 0x73, 0x10, 0x0f, 0x6f, 0x5b, 0x19, 0x48, 0x25, 0x44, 0x9f, 0x00,
};

static const unsigned char key_other[] = {
	0x98, 0x33, 0x04, 0x5e, 0x0b, 0xe1, 0x00, 0x16, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01,
	0xda, 0x47, 0x0f, 0x01, 0x01, 0x07, 0x40, 0x3e, 0x26, 0xe0, 0x66, 0x48, 0x5b, 0x02,
	0x04, 0x0b, 0xee, 0xbc, 0x0e, 0x08, 0x60, 0xde, 0xa8, 0xc5, 0x25, 0xfe, 0x13, 0x05,
	0xd6, 0x6a, 0xf5, 0x16, 0x3e, 0x01, 0xb4, 0xea, 0x47, 0xb3, 0x0d, 0xb4, 0x19, 0x6f,
	0x74, 0x68, 0x65, 0x72, 0x20, 0x3c, 0x6f, 0x74, 0x68, 0x65, 0x72, 0x40, 0x65, 0x78,
	0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x3e, 0x88, 0x90, 0x04, 0x13,
	0x16, 0x08, 0x00, 0x38, 0x16, 0x21, 0x04, 0x7b, 0x9c, 0x33, 0x67, 0x5d, 0x46, 0xfd,
	0x3a, 0x81, 0xfd, 0xe1, 0x59, 0x71, 0xd2, 0xe8, 0x73, 0x7b, 0x4d, 0x24, 0x83, 0x05,
	0x02, 0x5e, 0x0b, 0xe1, 0x00, 0x02, 0x1b, 0x03, 0x05, 0x0b, 0x09, 0x08, 0x07, 0x02,
	0x06, 0x15, 0x0a, 0x09, 0x08, 0x0b, 0x02, 0x04, 0x16, 0x02, 0x03, 0x01, 0x02, 0x1e,
	0x01, 0x02, 0x17, 0x80, 0x00, 0x0a, 0x09, 0x10, 0x71, 0xd2, 0xe8, 0x73, 0x7b, 0x4d,
	0x24, 0x83, 0x77, 0x2a, 0x01, 0x00, 0x95, 0xa8, 0x0a, 0xb2, 0x7e, 0x4e, 0x6a, 0xe5,
	0x67, 0x07, 0xa8, 0x01, 0x79, 0x86, 0xfe, 0xc3, 0xf0, 0xb8, 0x6e, 0x60, 0xeb, 0xbb,
	0xe3, 0xde, 0x4b, 0x66, 0x7a, 0xe7, 0x2c, 0xe5, 0xe2, 0xdc, 0x00, 0xff, 0x6b, 0xaf,
	0xe9, 0xbf, 0x7e, 0x94, 0xc9, 0x67, 0x3e, 0xfb, 0xe8, 0xd3, 0x84, 0x2f, 0xa2, 0x6f,
	0x05, 0x3a, 0x14, 0xe6, 0x2d, 0xfc, 0x13, 0xfa, 0x60, 0xbf, 0xd4, 0xfe, 0x67, 0xfd,
	0x48, 0x0b,
};
// clang-format on

static char folder[] = "/tmp/rootlet-test-release.XXXXXX";

static bool key_write(const char *name, const void *key, size_t size, char path[static 64])
{
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, 64, "%s/%s", folder, name);
	file = fopen(path, "we");
	return file && fwrite(key, 1, size, file) == size;
}

/* Only one whole text with a good signature is taken, and of that only what is signed. */
static void check_signatures(void)
{
	static const struct {
		const char *what, *file;
		bool good;
	} rows[] = {
		{ "good", HEAD BODY SIGNATURE, true },
		{ "good, with empty lines after it", HEAD BODY SIGNATURE "\n\n", true },
		{ "altered", HEAD "Label: x\n" BODY SIGNATURE, false },
		{ "text before", "Suite: x\n\n" HEAD BODY SIGNATURE, false },
		{ "an empty line before", "\n" HEAD BODY SIGNATURE, false },
		{ "text after", HEAD BODY SIGNATURE "Suite: x\n", false },
		{ "twice", HEAD BODY SIGNATURE HEAD BODY SIGNATURE, false },
		{ "text where only a hash's name may be",
		  "-----BEGIN PGP SIGNED MESSAGE-----\nSuite: x\n\n" BODY SIGNATURE, false },
		{ "a dash that is not escaped", HEAD "-x\n" BODY SIGNATURE, false },
		{ "no signature", HEAD BODY, false },
		{ "an empty signature",
		  HEAD BODY "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
		  false },
		{ "a signature that does not end",
		  HEAD BODY "-----BEGIN PGP SIGNATURE-----\n\niHUEARYKAB0W\n", false },
		{ "not signed at all", "Origin: Test\nSuite: jammy\n", false },
		{ "empty", "", false },
	};
	char test[64], other[64];

	if (!key_write("test.gpg", key_test, sizeof(key_test), test) ||
	    !key_write("other.gpg", key_other, sizeof(key_other), other))
		return tap_check(false, "keyrings");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		_cleanup_free_ char *text =
			release_verify(rows[i].file, strlen(rows[i].file), test, "InRelease", &err);
		bool whole = text && strncmp(text, "Origin: Test\n", 13) == 0 &&
			     strstr(text, "\n- a line") && !strstr(text, "PGP");
		bool refused = !text && err && err->code == ERR_TRUST;

		tap_check(rows[i].good ? whole : refused, "signature: %s", rows[i].what);
		if (err)
			printf("# %s\n", err->message);
	}
	for (size_t i = 0; i < 2; i++) {
		static const char file[] = HEAD BODY SIGNATURE, nul[] = HEAD "\0" BODY SIGNATURE;
		_cleanup_error_ struct error *err = NULL;
		_cleanup_free_ char *text =
			i ? release_verify(nul, sizeof(nul) - 1, test, "InRelease", &err)
			  : release_verify(file, sizeof(file) - 1, other, "InRelease", &err);

		tap_check(!text && err && err->code == ERR_TRUST, "signature: %s",
			  i ? "a NUL in the text" : "by a key that the keyring does not have");
	}
	unlink(test);
	unlink(other);
}

/* The same table as the helper's: both halves have one verdict. */
static void check_signed_files(void)
{
	for (size_t i = 0; i < SIGNED_FILES; i++) {
		const struct signed_file *row = &signed_files[i];
		_cleanup_(release_free) struct release *release = NULL;
		_cleanup_error_ struct error *err = NULL;
		size_t size;
		_cleanup_free_ char *data = signed_read(row->file, &size), *text = NULL;
		int result = -1;

		if (data)
			text = release_verify(data, size, RECORDED "/signatures/keyring.gpg",
					      row->file, &err);
		if (text)
			result = release_parse(strdup(text), row->file, &release, &err);
		if (result == 0)
			result = release_check(release, SIGNED_SUITE, "", time(NULL), &err);
		if (row->wrong)
			tap_check(result == -1 && err && err->code == ERR_TRUST &&
					  strstr(err->message, row->wrong),
				  "refused: %s", row->file);
		else
			tap_check(result == 0 &&
					  strncmp(text, SIGNED_TEXT, strlen(SIGNED_TEXT)) == 0,
				  "accepted: %s", row->file);
		if (err)
			printf("# %s\n", err->message);
	}
}

#define DATE "Date: Sat, 11 Jul 2026 10:16:37 UTC\n"
#define MADE 1783764997

/* Which release file is taken for which suite and pocket, at which time. */
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
		{ "of the future", "Suite: jammy\n" DATE, "jammy", "", -86400, false },
		{ "a clock that is a little slow", "Suite: jammy\n" DATE, "jammy", "", -60, true },
		{ "valid still", "Suite: jammy\nValid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n" DATE,
		  "jammy", "", 6 * 86400, true },
		{ "expired", "Suite: jammy\nValid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n" DATE,
		  "jammy", "", 8 * 86400, false },
		{ "a Valid-Until that nobody can read", "Suite: jammy\nValid-Until: soon\n" DATE,
		  "jammy", "", 0, false },
		{ "no date", "Suite: jammy\n", "jammy", "", 0, false },
		{ "a date in a zone of its own",
		  "Suite: jammy\nDate: Sat, 11 Jul 2026 10:16:37 CEST\n", "jammy", "", 0, false },
		{ "no name", DATE, "jammy", "", 0, false },
		{ "a name that only begins so", "Suite: jammyish\n" DATE, "jammy", "", 0, false },
		{ "empty", "", "jammy", "", 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_(release_free) struct release *release = NULL;
		_cleanup_error_ struct error *err = NULL;
		int result = release_parse(strdup(rows[i].text), "InRelease", &release, &err);

		if (result == 0)
			result = release_check(release, rows[i].suite, rows[i].pocket,
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
		uint64_t size; /* 0: not there */
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

/* One spelling for each mirror. */
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
	if (!mkdtemp(folder))
		return 1;
	check_signatures();
	check_signed_files();
	check_releases();
	check_entries();
	check_places();
	rmdir(folder);
	return tap_done();
}
