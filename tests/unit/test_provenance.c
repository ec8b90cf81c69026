/* frontend/rootfs/envelope.c, openpgp.c, provenance.c and provenance_compare.c: what is signed,
 * which envelopes and statements are read, and which differences between two statements count. */
#include "frontend/rootfs/provenance.h"

#include <string.h>

#include "frontend/rootfs/envelope.h"
#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/openpgp.h"
#include "frontend/rootfs/provenance_compare.h"
#include "tap.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"

/* --- envelopes --- */

/* The first row is the test vector of the DSSE specification, protocol.md. */
static void check_encoding(void)
{
	static const struct {
		const char *type, *payload, *encoded;
		size_t size;
	} rows[] = {
		{ "http://example.com/HelloWorld", "hello world",
		  "DSSEv1 29 http://example.com/HelloWorld 11 hello world", 11 },
		{ "", "", "DSSEv1 0  0 ", 0 },
		{ "a", "\0b", "DSSEv1 1 a 2 \0b", 2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t length = 0, head = strlen(rows[i].encoded);
		_cleanup_free_ char *text =
			envelope_encode(rows[i].type, rows[i].payload, rows[i].size, &length);

		tap_check(text && length >= head && memcmp(text, rows[i].encoded, head) == 0 &&
				  memcmp(text + length - rows[i].size, rows[i].payload,
					 rows[i].size) == 0,
			  "the encoding of %s", rows[i].encoded);
	}
}

/* Every byte survives, for each length modulo 3. */
static void check_round_trip(void)
{
	char bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	for (size_t size = 253; size <= 256; size++) {
		const struct envelope e = { bytes, bytes + 1, size, 3 };
		_cleanup_(envelope_clear) struct envelope read = { 0 };
		_cleanup_free_ char *text = NULL;

		tap_check(envelope_compose(&e, "x", "KEY", &text, NULL) == 0 &&
				  envelope_parse(text, strlen(text), "f", "x", &read, NULL) == 0 &&
				  read.payload_size == size &&
				  memcmp(read.payload, bytes, size) == 0 &&
				  read.payload[size] == '\0' && read.signature_size == 3 &&
				  memcmp(read.signature, bytes + 1, 3) == 0,
			  "an envelope with %zu bytes is read as it was written", size);
	}
}

static const struct {
	const char *what, *payload;
	bool good;
} encodings[] = {
	{ "base64", "YWJj", true },
	{ "padding", "YWI=", true },
	{ "two signs of padding", "YQ==", true },
	{ "missing padding", "YWI", false },
	{ "surplus padding", "YWJj=", false },
	{ "surplus bits", "YWJ=", false },
	{ "a blank", "YW Jj", false },
	{ "a line break", "YWJj\\n", false },
	{ "base64url", "-_-_", false },
	{ "another character", "YWJ!", false },
	{ "an empty text", "", false },
};

static void check_base64(void)
{
	for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
		_cleanup_(envelope_clear) struct envelope e = { 0 };
		_cleanup_error_ struct error *err = NULL;
		char text[200];
		bool good;

		snprintf(text, sizeof(text),
			 "{\"payloadType\":\"x\",\"payload\":\"%s\",\"signatures\":[{\"sig\":"
			 "\"YQ==\"}]}",
			 encodings[i].payload);
		good = envelope_parse(text, strlen(text), "f", "x", &e, &err) == 0;
		tap_check(good == encodings[i].good && (good || err->code == ERR_INPUT),
			  "%s is %s: %s", encodings[i].what, encodings[i].good ? "read" : "refused",
			  good ? "" : error_text(err));
	}
}

static void check_keys(void)
{
	static const struct {
		const char *key;
		bool valid;
	} rows[] = {
		{ "0123456789ABCDEF", true },
		{ "0x0123456789abcdef", true },
		{ "C47E5A066ED3B970467C2734E6900E0E9076A0A9", true },
		{ HASH "00", true },
		{ HASH "000", false },
		{ "0123456789ABCDE", false },
		{ "0x", false },
		{ "", false },
		{ "--armor-or-something", false },
		{ "someone@example.org", false },
		{ "C47E 5A06 6ED3 B970 467C", false },
		{ "C47E5A066ED3B970467C2734E6900E0E9076A0A9!", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		tap_check(openpgp_valid_key(rows[i].key) == rows[i].valid, "\"%s\" is %s key",
			  rows[i].key, rows[i].valid ? "a" : "no");
}

/* --- statements --- */

static char *components[] = { "main", NULL };
static struct manifest_package packages[] = {
	{ "attr", "1:2.5.1-4", "amd64", HASH "00", "attr", "1:2.5.1-4" },
	{ "g++", "4:12.2.0-3", "amd64", HASH "01", "gcc-defaults", "1.203" },
};
static struct manifest_release releases[] = {
	{ "", "http://x/debian", HASH "02", 1700000000 },
	{ "security", "http://x/security", HASH "03", 1700000001 },
};

static struct manifest manifest_of_rootfs(void)
{
	return (struct manifest){ .distribution = "Debian",
				  .suite = "bookworm",
				  .arch = "amd64",
				  .mirror = "http://me:secret@X/debian/",
				  .profile = "test",
				  .profile_sha256 = HASH "04",
				  .engine = "native",
				  .components = components,
				  .first_uid = 100000,
				  .first_gid = 100000,
				  .count = 65535,
				  .created = 1700000002,
				  .generation = 1,
				  .releases = releases,
				  .release_count = 2,
				  .packages = packages,
				  .package_count = 2 };
}

static const uint8_t tree[SHA256_LEN] = { 1, 2, 3 };

static json_t *statement_of(const struct manifest *m, const char *name, const char *invocation)
{
	return provenance_compose(m, name, "/p", tree, invocation, NULL);
}

static const json_t *at(const json_t *from, const char *const *path)
{
	for (; *path; path++)
		from = json_is_array(from) ? json_array_get(from, (size_t)(**path - '0'))
					   : json_object_get(from, *path);
	return from;
}

#define AT(statement, ...) at(statement, (const char *const[]){ __VA_ARGS__, NULL })
#define TEXT_AT(statement, ...) json_string_value(AT(statement, __VA_ARGS__))
#define DEFINITION "predicate", "buildDefinition"

static void check_fields(void)
{
	const struct manifest m = manifest_of_rootfs();
	_cleanup_(json_free) json_t *s = statement_of(&m, "rootfs", HASH "05");
	_cleanup_free_ char *text = json_dumps(s, 0);

	tap_check(tap_same(TEXT_AT(s, DEFINITION, "resolvedDependencies", "1", "uri"),
			   "http://x/security/dists/bookworm-security/InRelease"),
		  "a release file has its address");
	tap_check(tap_same(TEXT_AT(s, DEFINITION, "resolvedDependencies", "3", "uri"),
			   "pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64&distro=bookworm"),
		  "a package has its URL");
	tap_check(text && !strstr(text, "secret") && !strstr(text, "100000"),
		  "neither a password nor a host id is in it");
	tap_check(tap_same(provenance_invocation(s), HASH "05") &&
			  tap_same(provenance_name(s), "rootfs") &&
			  strncmp(provenance_tree(s), "01020300", 8) == 0,
		  "its own facts are found again");
}

/* A rootfs made from a lock has the date of the lock, until it is changed. */
static void check_lock(void)
{
	static const struct {
		const char *what;
		int64_t changed;
		uint32_t count;
		bool lock, finished;
	} rows[] = {
		{ "one made from a lock", 0, 0, true, false },
		{ "one made from a lock, then changed", 1700000003, 0, false, true },
		{ "an ordinary one", 0, 65535, false, true },
		{ "an ordinary one, then changed", 1700000003, 65535, false, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct manifest m = manifest_of_rootfs();
		_cleanup_(json_free) json_t *s = NULL;

		m.count = rows[i].count;
		m.changed = rows[i].changed;
		s = statement_of(&m, "x", NULL);
		tap_check(s && !!AT(s, DEFINITION, "externalParameters", "lock") == rows[i].lock &&
				  !!AT(s, "predicate", "runDetails", "metadata", "finishedOn") ==
					  rows[i].finished,
			  "%s: lock %d, time %d", rows[i].what, rows[i].lock, rows[i].finished);
	}
}

static void check_old(void)
{
	struct manifest m = manifest_of_rootfs();
	_cleanup_error_ struct error *err = NULL;

	m.engine = NULL;
	tap_check(!provenance_compose(&m, "x", "/p", tree, NULL, &err) && err->code == ERR_INPUT &&
			  strstr(err->message, "cannot describe the origin of /p: an older"),
		  "a manifest of format 1 is refused: %s", error_text(err));
}

/* --- comparing --- */

static size_t differences(const json_t *was, const json_t *is)
{
	struct findings f = { 0 };
	size_t count;

	provenance_compare(was, is, &f);
	count = f.count;
	findings_clear(&f);
	return count;
}

static void check_comparison(void)
{
	const struct manifest m = manifest_of_rootfs();
	struct manifest fewer = m, newer = m, elsewhere = m;
	_cleanup_(json_free) json_t *one = statement_of(&m, "x", HASH "05");
	_cleanup_(json_free) json_t *same = statement_of(&m, "y", NULL);
	_cleanup_(json_free) json_t *odd = statement_of(&m, "x", "odd");
	_cleanup_(json_free) json_t *without = NULL;
	_cleanup_(json_free) json_t *later = NULL;
	_cleanup_(json_free) json_t *moved = NULL;

	fewer.package_count = 1;
	newer.generation = 2;
	elsewhere.first_uid = 200000;
	without = statement_of(&fewer, "x", NULL);
	later = statement_of(&newer, "x", NULL);
	moved = statement_of(&elsewhere, "x", NULL);
	tap_check(differences(one, same) == 0, "name and audit record may differ");
	tap_check(differences(one, moved) == 0, "the host ids may differ");
	tap_check(differences(odd, one) == 1, "but the audit record must be a hash");
	json_object_set_new(odd, "subject.0.name", json_string("x"));
	tap_check(differences(odd, one) == 2, "a field that is called like a place counts");
	tap_check(differences(one, without) == 1 && differences(without, one) == 1,
		  "a package that only one of them has counts, whichever it is");
	tap_check(differences(one, later) == 1, "another generation counts");
}

/* Replaces each field in OBJECT by a text, and removes it, however deep it is. Returns how many
 * fields there are; FREE_COUNT is how often that made no difference. */
static size_t check_members(const json_t *statement, json_t *object, const json_t *now,
			    size_t *free_count)
{
	_cleanup_(json_free) json_t *copy = json_copy(object);
	size_t count = 0, i;
	json_t *value, *item;
	const char *key;

	json_object_foreach(copy, key, value)
	{
		json_object_set_new(object, key, json_string("something else"));
		*free_count += differences(statement, now) == 0;
		json_object_del(object, key);
		*free_count += differences(statement, now) == 0;
		json_object_set(object, key, value);
		if (json_is_object(value))
			count += check_members(statement, value, now, free_count);
		json_array_foreach(value, i, item)
		{
			if (json_is_object(item))
				count += check_members(statement, item, now, free_count);
		}
		count++;
	}
	return count;
}

static void check_all_members(void)
{
	const struct manifest m = manifest_of_rootfs();
	_cleanup_(json_free) json_t *one = statement_of(&m, "x", HASH "05");
	_cleanup_(json_free) json_t *now = statement_of(&m, "x", HASH "05");
	size_t free_count = 0, count = check_members(one, one, now, &free_count);

	/* Name and version, as another text or missing, and a missing audit record. */
	tap_check(count > 50 && free_count == 5 && differences(one, now) == 0,
		  "each of %zu fields counts, except those that may differ (%zu)", count,
		  free_count);
}

int main(void)
{
	check_encoding();
	check_round_trip();
	check_base64();
	check_keys();
	check_fields();
	check_lock();
	check_old();
	check_comparison();
	check_all_members();
	return tap_done();
}
