/* frontend/rootfs/sbom.c: package URLs, identifiers, and what changes a document. */
#include "frontend/rootfs/sbom.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/rootfs/manifest_fields.h"
#include "tap.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"

static struct manifest_package packages[] = {
	{ "attr", "1:2.5.1-4", "amd64", HASH "00", "attr", "1:2.5.1-4" },
	{ "g++", "4:12.2.0-3", "amd64", HASH "01", "gcc-defaults", "1.203" },
	{ "g--", "1.0~rc1+b2", "all", HASH "02", "g", "1.0~rc1" },
};

static struct manifest manifest_of_packages(void)
{
	return (struct manifest){ .distribution = "Debian",
				  .suite = "bookworm",
				  .created = 1700000000,
				  .generation = 1,
				  .packages = packages,
				  .package_count = 3 };
}

static void check_urls(void)
{
	static const char *const expected[] = {
		"pkg:deb/debian/attr@1:2.5.1-4?arch=amd64&distro=bookworm",
		"pkg:deb/debian/g%2B%2B@4:12.2.0-3?arch=amd64&distro=bookworm",
		"pkg:deb/debian/g--@1.0~rc1+b2?arch=all&distro=bookworm",
	};
	const struct manifest m = manifest_of_packages();

	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *url = sbom_package_url(&m, &packages[i]);

		tap_check(tap_same(url, expected[i]), "the package URL of %s: %s", packages[i].name,
			  url);
	}
}

static void check_repositories(void)
{
	static char mirror[] = "http://me:secret@M.example:80/a b/?";
	static struct repository repository = { .mirror = mirror };
	struct manifest m = manifest_of_packages();
	struct manifest_package package = packages[0];
	static const char plain[] = "pkg:deb/debian/attr@1:2.5.1-4?arch=amd64&distro=bookworm";
	static const struct {
		const char *what;
		uint32_t number;
		const char *more;
	} rows[] = {
		{ "the release's archive", 0, "" },
		{ "a repository", 1, "&repository_url=http://m.example/a%2520b/%3F" },
		{ "one that the manifest lacks", 2, "" },
	};

	m.repositories = &repository;
	m.repository_count = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_free_ char *url = NULL;

		package.repository = rows[i].number;
		url = sbom_package_url(&m, &package);
		tap_check(url && strncmp(url, plain, strlen(plain)) == 0 &&
				  tap_same(url + strlen(plain), rows[i].more),
			  "the package URL of a package of %s: %s", rows[i].what, url);
	}
}

static json_t *document(const struct manifest *m, const char *name, enum sbom_format format)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = NULL;

	if (sbom_compose(m, name, format, &text, &err) < 0)
		return NULL;
	return json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void check_spdx(void)
{
	const struct manifest m = manifest_of_packages();
	_cleanup_(json_free) json_t *d = document(&m, "my rootfs", SBOM_SPDX);
	const json_t *list = json_object_get(d, "packages");
	const char *namespace = text_at(d, "documentNamespace");

	tap_check(json_array_size(list) == 4, "SPDX lists the rootfs and its packages");
	for (size_t i = 0; i < 4; i++) {
		const char *id = text_at(json_array_get(list, i), "SPDXID");

		tap_check(id[0] && !id[strspn(id, "abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")],
			  "%s has only the characters of an identifier", id);
		for (size_t k = 0; k < i; k++)
			tap_check(strcmp(id, text_at(json_array_get(list, k), "SPDXID")) != 0,
				  "%s is not used twice", id);
	}
	tap_check(strstr(namespace, "/rootlet-my%20rootfs-"),
		  "the document's namespace is a URI: %s", namespace);
}

/* What differs between two documents has to show in their identifiers. */
static void check_identity(enum sbom_format format, const char *key)
{
	const struct manifest m = manifest_of_packages();
	struct manifest later = m, fewer = m;
	_cleanup_(json_free) json_t *one = document(&m, "x", format);
	_cleanup_(json_free) json_t *same = document(&m, "x", format);
	_cleanup_(json_free) json_t *named = document(&m, "y", format);
	_cleanup_(json_free) json_t *other = NULL;
	_cleanup_(json_free) json_t *changed = NULL;

	later.changed = 1700000001;
	fewer.package_count = 2;
	changed = document(&later, "x", format);
	other = document(&fewer, "x", format);
	tap_check(one && json_equal(one, same), "%s: two documents of a rootfs are equal", key);
	tap_check(strcmp(text_at(one, key), text_at(named, key)) != 0, "%s depends on the name",
		  key);
	tap_check(strcmp(text_at(one, key), text_at(changed, key)) != 0,
		  "%s depends on the time of the last change", key);
	tap_check(strcmp(text_at(one, key), text_at(other, key)) != 0, "%s depends on the packages",
		  key);
}

static void check_old_manifest(void)
{
	static struct manifest_package old[] = { { .name = "attr", .version = "1" } };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = NULL;
	struct manifest m = manifest_of_packages();

	m.packages = old;
	m.package_count = 1;
	tap_check(sbom_compose(&m, "old", SBOM_SPDX, &text, &err) < 0 && err->code == ERR_INPUT &&
			  strstr(err->message, "packages of old: an older rootlet"),
		  "a manifest without hashes is refused: %s", error_text(err));
}

int main(void)
{
	check_urls();
	check_repositories();
	check_spdx();
	check_identity(SBOM_SPDX, "documentNamespace");
	check_identity(SBOM_CYCLONEDX, "serialNumber");
	check_old_manifest();
	return tap_done();
}
