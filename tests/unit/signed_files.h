/* Signed files for testing the verdict that both halves share. tests/recorded/signatures/make
 * created them with its own keys: test and second are good, expired and revoked are as named; all
 * four are in keyring.gpg, stranger is not. */
#pragma once

#include <stdbool.h>

#include "recorded.h"

#define SIGNED_SUITE "jammy"
#define SIGNED_TEXT                                                                                \
	"Origin: Test\nSuite: jammy\nCodename: jammy\nDate: Mon, 01 Jun 2020 00:00:00 UTC"

static const struct signed_file {
	const char *file, *wrong; /* WRONG is part of the message; NULL: the file is accepted */
} signed_files[] = {
	{ "good", NULL },
	{ "sha256", NULL },
	{ "sha384", NULL },
	{ "md5", "" },
	{ "sha1", "digest that can be forged" },
	{ "ripemd160", "digest that can be forged" },
	{ "sha224", "digest that can be forged" },
	{ "weak-then-good", NULL },
	{ "two-signers", NULL },
	{ "good-then-bad", "does not match its text" },
	{ "bad-then-good", "does not match its text" },
	{ "good-then-stranger", NULL },
	{ "stranger-then-good", NULL },
	{ "stranger", "no key of the keyring" },
	{ "revoked", "was revoked" },
	{ "revoked-then-good", NULL },
	{ "expired-key", "key of its signature has expired" },
	{ "expired-key-then-good", NULL },
	{ "expired-signature", "its signature has expired" },
	{ "altered", "does not match its text" },
	{ "empty-signature", "malformed" },
	{ "unsigned", "signed text" },
	{ "text-before", "signed text" },
	{ "text-after", "signed text" },
	{ "twice", "signed text" },
	{ "two-signature-blocks", "signed text" },
	{ "nested-signature", "signed text" },
	{ "header", "signed text" },
	{ "valid-until-ahead", NULL },
	{ "valid-until-passed", "expired" },
	{ "valid-until-unreadable", "Valid-Until date cannot be read" },
	{ "date-ahead", "in the future" },
	{ "date-missing", "date" },
	{ "date-unreadable", "date" },
	{ "other-suite", "another release or pocket" },
	{ "pocket", "another release or pocket" },
};

#define SIGNED_FILES (sizeof(signed_files) / sizeof(*signed_files))

/* Returns the content of a recorded file, which the caller frees. Returning NULL fails the test. */
static inline char *signed_read(const char *name, size_t *size)
{
	char path[4096];
	char *data;

	snprintf(path, sizeof(path), RECORDED "/signatures/%s", name);
	data = recorded_read(path, size);
	if (!data)
		tap_check(false, "%s can be read", path);
	return data;
}
