/* lib/signature.c and lib/release_text.c: what gpgv's status lines come to, and which suite a text
 * is for. tests/unit/signed_files.h has whole files. */
#include "lib/signature.h"

#include "lib/release_text.h"

#include "signed_files.h"

#define NEW "[GNUPG:] NEWSIG\n"
#define GOOD "[GNUPG:] GOODSIG 68F10B66E4648826 test <test@example.org>\n"
#define VALID(digest) "[GNUPG:] VALIDSIG 8EB7 2020-06-01 1590969600 0 4 0 1 " digest " 01 8EB7\n"

/* Only the lines of gpgv count, and a VALIDSIG only behind its own GOODSIG. */
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
		{ "a digest that nobody knows", NEW GOOD VALID("12"), false },
		{ "a number that only begins so", NEW GOOD VALID("8x"), false },
		{ "GOODSIG alone", NEW GOOD, false },
		{ "VALIDSIG alone", NEW VALID("8"), false },
		{ "a VALIDSIG too short", NEW GOOD "[GNUPG:] VALIDSIG 8EB7 2020-06-01\n", false },
		{ "GOODSIG of one signature, VALIDSIG of the next", NEW GOOD NEW VALID("8"),
		  false },
		{ "an expired signature behind a GOODSIG",
		  GOOD "[GNUPG:] EXPSIG 68F1 test\n" VALID("8"), false },
		{ "an expired key behind a GOODSIG",
		  GOOD "[GNUPG:] EXPKEYSIG 68F1 test\n" VALID("8"), false },
		{ "a revoked key behind a GOODSIG",
		  GOOD "[GNUPG:] REVKEYSIG 68F1 test\n" VALID("8"), false },
		{ "an unknown key behind a GOODSIG",
		  GOOD "[GNUPG:] ERRSIG 68F1 1 8 01 0 9\n" VALID("8"), false },
		{ "a bad signature first", "[GNUPG:] BADSIG 68F1 test\n" NEW GOOD VALID("8"),
		  false },
		{ "a bad signature last", NEW GOOD VALID("8") NEW "[GNUPG:] BADSIG 68F1 test\n",
		  false },
		{ "no signature packet", NEW GOOD VALID("8") "[GNUPG:] NODATA 4\n", false },
		{ "armor that is broken", NEW GOOD VALID("8") "[GNUPG:] BADARMOR\n", false },
		{ "lines that are not of gpgv", "GOODSIG 68F1 test\nVALIDSIG 1 2 3 4 5 6 7 8 9\n",
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

/* gpgv refuses MD5 by itself; gpg was made to accept it. */
static void check_recorded_md5(void)
{
	size_t size;
	char *status = signed_read("md5.status", &size);

	tap_check(status && strstr(status, "GOODSIG") && strstr(status, "VALIDSIG"),
		  "the recorded MD5 signature is good but for its digest");
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

int main(void)
{
	check_lines();
	check_recorded_md5();
	check_suites();
	return tap_done();
}
