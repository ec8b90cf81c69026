/* lib/signature.c and lib/release_text.c: the verdict on gpgv's status lines, and the suite of a
 * text. tests/unit/signed_files.h has complete files. */
#include "lib/signature.h"

#include "lib/release_text.h"

#include "signed_files.h"

#define NEW "[GNUPG:] NEWSIG\n"
#define GOOD "[GNUPG:] GOODSIG 68F10B66E4648826 test <test@example.org>\n"
#define VALID(digest) "[GNUPG:] VALIDSIG 8EB7 2020-06-01 1590969600 0 4 0 1 " digest " 01 8EB7\n"

/* Only gpgv's own lines count, and a VALIDSIG only after its own GOODSIG. */
static void check_lines(void)
{
	static const struct {
		const char *what, *status;
		bool good;
	} rows[] = {
		{ "nothing", "", false },
		{ "SHA-256", NEW GOOD VALID("8"), true },
		{ "SHA-384", NEW GOOD VALID("9"), true },
		{ "SHA-512", NEW GOOD VALID("10"), true },
		{ "MD5", NEW GOOD VALID("1"), false },
		{ "SHA-1", NEW GOOD VALID("2"), false },
		{ "RIPEMD-160", NEW GOOD VALID("3"), false },
		{ "SHA-224", NEW GOOD VALID("11"), false },
		{ "an unknown digest", NEW GOOD VALID("12"), false },
		{ "a digest number with trailing text", NEW GOOD VALID("8x"), false },
		{ "GOODSIG alone", NEW GOOD, false },
		{ "VALIDSIG alone", NEW VALID("8"), false },
		{ "a VALIDSIG too short", NEW GOOD "[GNUPG:] VALIDSIG 8EB7 2020-06-01\n", false },
		{ "GOODSIG of one signature, VALIDSIG of the next", NEW GOOD NEW VALID("8"),
		  false },
		{ "an expired signature after a GOODSIG",
		  GOOD "[GNUPG:] EXPSIG 68F1 test\n" VALID("8"), false },
		{ "an expired key after a GOODSIG",
		  GOOD "[GNUPG:] EXPKEYSIG 68F1 test\n" VALID("8"), false },
		{ "a revoked key after a GOODSIG", GOOD "[GNUPG:] REVKEYSIG 68F1 test\n" VALID("8"),
		  false },
		{ "an unknown key after a GOODSIG",
		  GOOD "[GNUPG:] ERRSIG 68F1 1 8 01 0 9\n" VALID("8"), false },
		{ "a bad signature first", "[GNUPG:] BADSIG 68F1 test\n" NEW GOOD VALID("8"),
		  false },
		{ "a bad signature last", NEW GOOD VALID("8") NEW "[GNUPG:] BADSIG 68F1 test\n",
		  false },
		{ "no signature packet", NEW GOOD VALID("8") "[GNUPG:] NODATA 4\n", false },
		{ "broken armor", NEW GOOD VALID("8") "[GNUPG:] BADARMOR\n", false },
		{ "lines that are not from gpgv", "GOODSIG 68F1 test\nVALIDSIG 1 2 3 4 5 6 7 8 9\n",
		  false },
		{ "a user id that looks like a verdict",
		  NEW "[GNUPG:] ERRSIG 68F1 1 8 01 0 9 GOODSIG\n" VALID("8"), false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *status = strdup(rows[i].status);
		const char *wrong = signature_judge(status);

		tap_check((wrong == NULL) == rows[i].good, "status lines: %s", rows[i].what);
		printf("# %s\n", wrong ? wrong : "good");
		free(status);
	}
}

/* gpgv refuses MD5 itself; for the recording, gpg was told to accept it. */
static void check_recorded_md5(void)
{
	size_t size;
	char *status = signed_read("md5.status", &size);

	tap_check(status && strstr(status, "GOODSIG") && strstr(status, "VALIDSIG"),
		  "the recorded MD5 signature is good except for its digest");
	tap_check(status && signature_judge(status), "a recorded MD5 signature is refused");
	free(status);
}

#define DATE "Date: Mon, 01 Jun 2020 00:00:00 UTC\n"

static void check_suites(void)
{
	static const struct {
		const char *text, *suite, *pocket;
		bool good;
	} rows[] = {
		{ "Suite: jammy\nCodename: jammy\n", "jammy", "", true },
		{ "Suite: jammy-updates\nCodename: jammy\n", "jammy", "updates", true },
		{ "Suite: jammy-updates\nCodename: jammy\n", "jammy", "", false },
		{ "Suite: jammy\nCodename: jammy\n", "jammy", "updates", false },
		{ "Suite: stable\nCodename: bookworm\n", "bookworm", "", true },
		{ "Suite: stable\nCodename: bookworm\n", "stable", "", false },
		{ "Suite: stable-security\nCodename: bookworm-security\n", "bookworm", "security",
		  true },
		{ "Suite: stable-security\nCodename: bookworm-security\n", "bookworm", "", false },
		{ "Suite: bookworm\nCodename: trixie\n", "bookworm", "", false },
		{ "Suite: jammyish\nCodename: jammy\n", "jammy", "", false },
		{ "Suite: oldjammy\nCodename: jammy\n", "jammy", "", true },
		{ "Suite: oldjammy\nCodename: jammy\n", "oldjammy", "", false },
		{ "Suite: jammy\n", "jammy", "", true },
		{ "Codename: jammy\n", "jammy", "", true },
		{ "", "jammy", "", false },
		{ "", "", "", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		char text[256];

		snprintf(text, sizeof(text), "%s" DATE, rows[i].text);
		tap_check((release_text_check(text, rows[i].suite, rows[i].pocket, 1600000000,
					      &err) == 0) == rows[i].good,
			  "suite \"%s\", pocket \"%s\", row %zu", rows[i].suite, rows[i].pocket, i);
	}
}

#define BEGIN "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
#define SIGNATURE "-----BEGIN PGP SIGNATURE-----\n\nabc=\n-----END PGP SIGNATURE-----\n"

/* The start and end of a signed text, as for gpgv. */
static void check_forms(void)
{
	static const struct {
		const char *what, *file, *text; /* NULL: refused */
	} rows[] = {
		{ "a text", BEGIN "a\nb\n" SIGNATURE, "a\nb" },
		{ "of no line", BEGIN SIGNATURE, "" },
		{ "without a header", "-----BEGIN PGP SIGNED MESSAGE-----\n\na\n" SIGNATURE, "a" },
		{ "with trailing blanks", BEGIN "a \t\nb\r\n" SIGNATURE, "a\nb" },
		{ "with an escaped dash", BEGIN "- -a\n- b\n" SIGNATURE, "-a\nb" },
		{ "with an unescaped dash", BEGIN "-a\n" SIGNATURE, NULL },
		{ "with only a dash", BEGIN "-\n" SIGNATURE, NULL },
		{ "without a signature", BEGIN "a\n", NULL },
		{ "with an unterminated signature",
		  BEGIN "a\n-----BEGIN PGP SIGNATURE-----\n\nabc=\n", NULL },
		{ "with text before it", "x\n" BEGIN "a\n" SIGNATURE, NULL },
		{ "with text after it", BEGIN "a\n" SIGNATURE "x\n", NULL },
		{ "with an empty line after it", BEGIN "a\n" SIGNATURE "\n", "a" },
		{ "nothing", "", NULL },
	};
	static const char nul[] = BEGIN "a\0b\n" SIGNATURE;
	const char *signature;
	char text[512];
	size_t size;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool good = signature_split(rows[i].file, strlen(rows[i].file), text, &signature,
					    &size);

		tap_check(rows[i].text ? good && strcmp(text, rows[i].text) == 0 &&
						 strncmp(signature, SIGNATURE, 20) == 0
				       : !good,
			  "a signed file: %s: %s", rows[i].what, good ? "taken" : "refused");
	}
	tap_check(!signature_split(nul, sizeof(nul) - 1, text, &signature, &size),
		  "a signed file with a NUL is refused");
}

/* NOW is half an hour after 2020-06-01 00:00. */
static void check_times(void)
{
	static const struct {
		const char *what, *text;
		bool good;
	} rows[] = {
		{ "in the past", "Date: Sun, 31 May 2020 12:00:00 UTC\n", true },
		{ "with another name for UTC", "Date: Sun, 31 May 2020 12:00:00 +0000\n", true },
		{ "in another time zone", "Date: Sun, 31 May 2020 12:00:00 +0200\n", false },
		{ "without a zone", "Date: Sun, 31 May 2020 12:00:00\n", false },
		{ "with an invalid month", "Date: Sun, 31 anF 2020 12:00:00 UTC\n", false },
		{ "slightly in the future", "Date: Mon, 01 Jun 2020 01:20:00 UTC\n", true },
		{ "in the future", "Date: Mon, 01 Jun 2020 01:40:00 UTC\n", false },
		{ "none", "", false },
		{ "empty", "Date:\n", false },
		{ "before 1970", "Date: Wed, 31 Dec 1969 00:00:00 UTC\n", false },
		{ "valid still",
		  "Date: Sun, 31 May 2020 12:00:00 UTC\n"
		  "Valid-Until: Mon, 01 Jun 2020 00:40:00 UTC\n",
		  true },
		{ "expired a moment ago",
		  "Date: Sun, 31 May 2020 12:00:00 UTC\n"
		  "Valid-Until: Mon, 01 Jun 2020 00:29:00 UTC\n",
		  false },
		{ "with an unreadable Valid-Until",
		  "Date: Sun, 31 May 2020 12:00:00 UTC\nValid-Until: soon\n", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;
		char text[256];

		snprintf(text, sizeof(text), "Codename: jammy\n%s", rows[i].text);
		tap_check((release_text_check(text, "jammy", "", 1590971400, &err) == 0) ==
				  rows[i].good,
			  "a date: %s: %s", rows[i].what, err ? err->message : "taken");
	}
}

int main(void)
{
	check_forms();
	check_times();
	check_lines();
	check_recorded_md5();
	check_suites();
	return tap_done();
}
