/* proto/validate.c: the valid values of each field. A row is one value. */
#include "lib/hex_read.h"
#include "proto/validate.h"

#include "frontend/archive/package_words.h"
#include "tap.h"

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define X250 FIFTY FIFTY FIFTY FIFTY FIFTY

/* clang-format off */
static const struct word {
	const char *value;
	bool rootfs, archive, package, account, path;
} words[] = {
	/* value	rootfs	archive	package	account	path */
	{ NULL,		false,	false,	false,	false,	false },
	{ "",		false,	false,	false,	false,	false },
	{ "a",		true,	true,	false,	true,	false },
	{ "ab",		true,	true,	true,	true,	false },
	{ "jammy",	true,	true,	true,	true,	false },
	{ "Jammy",	true,	false,	false,	true,	false },
	{ "g++",	true,	true,	true,	false,	false },
	{ "a.b-c",	true,	true,	true,	true,	false },
	{ "a_b",	true,	false,	false,	true,	false },
	{ "_a",		true,	false,	false,	true,	false },
	{ "123",	true,	true,	true,	false,	false },
	{ "123456-fsgqa", true,	true,	true,	true,	false },
	{ ".",		false,	false,	false,	false,	false },
	{ "..",		false,	false,	false,	false,	false },
	{ ".hidden",	false,	false,	false,	false,	false },
	{ "-rf",	false,	false,	false,	false,	false },
	{ "--yes",	false,	false,	false,	false,	false },
	{ "+a",		false,	false,	false,	false,	false },
	{ "a/b",	false,	false,	false,	false,	false },
	{ "a/../b",	false,	false,	false,	false,	false },
	{ "/",		false,	false,	false,	false,	true },
	{ "/home/fsqa",	false,	false,	false,	false,	true },
	{ "/home/../etc", false, false,	false,	false,	false },
	{ "/home/a:b",	false,	false,	false,	false,	false },
	{ "/home/a b",	false,	false,	false,	false,	false },
	{ "/home/a\n",	false,	false,	false,	false,	false },
	{ "a\n",	false,	false,	false,	false,	false },
	{ "a\nb",	false,	false,	false,	false,	false },
	{ "a b",	false,	false,	false,	false,	false },
	{ "a:b",	false,	false,	false,	false,	false },
	{ "a\x7f",	false,	false,	false,	false,	false },
	{ "a\xc3\xa9",	false,	false,	false,	false,	false },
	{ "a%s",	false,	false,	false,	false,	false },
	{ "a$b",	false,	false,	false,	false,	false },
	{ "a*",		false,	false,	false,	false,	false },
	{ X250 FIFTY,	false,	false,	false,	false,	false },
	{ "/" X250,	false,	false,	false,	false,	true },
	{ "/" X250 "12345", false, false, false, false,	false },
};
/* clang-format on */

static void print_escaped(const char *s, char *out, size_t size)
{
	size_t n = 0;

	for (; s && *s && n + 5 < size && n < 40; s++) {
		if (*s > ' ' && *s < 0x7f && *s != '#' && *s != '\\')
			out[n++] = *s;
		else
			n += (size_t)sprintf(out + n, "<%02x>", (unsigned)(unsigned char)*s);
	}
	out[n] = '\0';
}

static void check_words(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const struct word *w = &words[i];
		char shown[64];

		print_escaped(w->value, shown, sizeof(shown));
		tap_check(valid_rootfs_name(w->value) == w->rootfs, "name of a rootfs: \"%s\": %s",
			  shown, w->rootfs ? "yes" : "no");
		tap_check(valid_archive_word(w->value) == w->archive, "archive word: \"%s\": %s",
			  shown, w->archive ? "yes" : "no");
		tap_check(valid_package_name(w->value) == w->package, "package: \"%s\": %s", shown,
			  w->package ? "yes" : "no");
		tap_check(valid_account_name(w->value) == w->account, "account: \"%s\": %s", shown,
			  w->account ? "yes" : "no");
		tap_check(valid_inner_path(w->value) == w->path, "inner path: \"%s\": %s", shown,
			  w->path ? "yes" : "no");
	}
}

/* The longest value that each function accepts, and one byte more. */
static void check_lengths(void)
{
	static const struct {
		const char *what;
		bool (*valid)(const char *);
		size_t most;
	} rows[] = {
		{ "name of a rootfs", valid_rootfs_name, ROOTFS_NAME_MAX },
		{ "archive word", valid_archive_word, SUITE_MAX },
		{ "package", valid_package_name, PACKAGE_NAME_MAX },
		{ "account", valid_account_name, ACCOUNT_NAME_MAX },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char value[512];

		memset(value, 'a', sizeof(value));
		value[rows[i].most] = '\0';
		tap_check(rows[i].valid(value), "%s of %zu bytes", rows[i].what, rows[i].most);
		value[rows[i].most] = 'a';
		value[rows[i].most + 1] = '\0';
		tap_check(!rows[i].valid(value), "%s of %zu bytes is too long", rows[i].what,
			  rows[i].most + 1);
	}
}

static void check_ids(void)
{
	static const struct {
		uint32_t id;
		bool good;
	} rows[] = { { 0, false },     { 1, true },	 { 1000, true },   { 65533, true },
		     { 65534, false }, { 65535, false }, { 65536, false }, { UINT32_MAX, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(valid_account_id(rows[i].id) == rows[i].good, "id %u: %s", rows[i].id,
			  rows[i].good ? "yes" : "no");
}

static void check_modes(void)
{
	static const struct {
		uint32_t mode;
		bool good;
	} rows[] = { { 0700, true },   { 0755, true },	{ 0, false },	 { 0711, false },
		     { 04700, false }, { 0777, false }, { 0500, false }, { UINT32_MAX, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(valid_tree_mode(rows[i].mode) == rows[i].good, "mode %o: %s",
			  rows[i].mode, rows[i].good ? "yes" : "no");
}

static void check_hashes(void)
{
	static const char hex[] =
		"0123456789abcdefffeeddccbbaa99887766554433221100a0b0c0d0e0f00102";
	char copy[sizeof(hex)], back[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	tap_check(sha256_from_hex(hex, 64, sum) && sum[0] == 0x01 && sum[31] == 0x02,
		  "hash from 64 digits");
	sha256_to_hex(sum, back);
	tap_check(strcmp(hex, back) == 0, "hash there and back");
	tap_check(!sha256_from_hex(hex, 63, sum), "63 digits are not a hash");
	tap_check(!sha256_from_hex(hex, 0, sum), "no digits are not a hash");
	for (size_t i = 0; i < 4; i++) {
		memcpy(copy, hex, sizeof(copy));
		copy[17] = "gF\0/"[i];
		tap_check(!sha256_from_hex(copy, 64, sum), "a hash with byte 0x%02x is invalid",
			  (unsigned)(unsigned char)copy[17]);
	}
}

static void check_patterns(void)
{
	static const struct {
		const char *value;
		bool good;
	} rows[] = { { "/usr/share/doc/*", true },
		     { "/", true },
		     { "/[a-z]?", true },
		     { "", false },
		     { "usr/*", false },
		     { "/a b", false },
		     { "/a\n", false },
		     { "/\xc3\xa9", false },
		     { "/" FIFTY FIFTY, true },
		     { "/" X250, false } };

	tap_check(!valid_filter_pattern(NULL), "NULL is not a valid pattern");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(valid_filter_pattern(rows[i].value) == rows[i].good, "pattern %zu: %s", i,
			  rows[i].good ? "yes" : "no");
}

static void check_choices(void)
{
	static const struct {
		const char *value;
		bool good;
	} rows[] = { { NULL, false },	 { "a2", true },       { "a2|b3", true },
		     { "", false },	 { "|", false },       { "a2|", false },
		     { "|a2", false },	 { "a2||b3", false },  { "a2 | b3", false },
		     { "a2|B3", false }, { "a2|" X250, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(valid_package_choice(rows[i].value) == rows[i].good, "choice %zu: %s", i,
			  rows[i].good ? "yes" : "no");
}

int main(void)
{
	check_words();
	check_patterns();
	check_choices();
	check_lengths();
	check_ids();
	check_modes();
	check_hashes();
	return tap_done();
}
