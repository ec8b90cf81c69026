#include "frontend/rootfs/sbom.h"

#include <ctype.h>
#include <string.h>

#include "frontend/client/release_seen.h"
#include "frontend/rootfs/manifest_fields.h"
#include "lib/hash.h"

#define UNKNOWN "NOASSERTION" /* SPDX's word */
#define NAMESPACE "https://spdx.org/spdxdocs/rootlet-"

static bool is_one_of(char c, const char *others)
{
	return isalnum((unsigned char)c) || (c && strchr(others, c));
}

/* TEXT with everything but letters, digits and the characters SAFE as %XX. The caller frees it. */
static char *escaped(const char *text, const char *safe)
{
	char *copy = malloc(3 * strlen(text) + 1), *out = copy;

	for (; copy && *text; text++) {
		if (is_one_of(*text, safe))
			*out++ = *text;
		else
			out += sprintf(out, "%%%02X", (unsigned char)*text);
	}
	if (copy)
		*out = '\0';
	return copy;
}

/* "&repository_url=…", or "" for a package of the release's archive. */
static char *repository_url(const struct manifest *m, const struct manifest_package *p)
{
	_cleanup_free_ char *place = NULL, *url = NULL;
	char *qualifier = NULL;

	if (!p->repository || p->repository > m->repository_count)
		return strdup("");
	place = release_seen_place(m->repositories[p->repository - 1].mirror);
	url = place ? escaped(place, "-._~:/") : NULL;
	return url && asprintf(&qualifier, "&repository_url=%s", url) >= 0 ? qualifier : NULL;
}

char *sbom_package_url(const struct manifest *m, const struct manifest_package *p)
{
	_cleanup_free_ char *distribution = escaped(m->distribution, "-._~");
	_cleanup_free_ char *name = escaped(p->name, "-._~");
	/* The canonical form, which some parsers insist on. */
	_cleanup_free_ char *version = escaped(p->version, "-._~:+");
	_cleanup_free_ char *arch = escaped(p->arch, "-._~");
	_cleanup_free_ char *suite = escaped(m->suite, "-._~");
	_cleanup_free_ char *repository = repository_url(m, p);
	char *url;

	if (!distribution || !name || !version || !arch || !suite || !repository)
		return NULL;
	for (char *c = distribution; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (asprintf(&url, "pkg:deb/%s/%s@%s?arch=%s&distro=%s%s", distribution, name, version,
		     arch, suite, repository) < 0)
		return NULL;
	return url;
}

/* A string that is freed. */
static json_t *take_string(char *text)
{
	json_t *string = text ? json_string(text) : NULL;

	free(text);
	return string;
}

static json_t *string_of(const char *format, ...) PRINTF_LIKE(1, 2);
static json_t *string_of(const char *format, ...)
{
	char *text;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	return take_string(text);
}

/* The SHA-256 of all that the document says of the rootfs. */
static void digest_of(const struct manifest *m, const char *name, uint8_t sum[static SHA256_LEN])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, strlen(name) + 1, (const uint8_t *)name);
	sha256_update(&hash, sizeof(m->changed), (const uint8_t *)&m->changed);
	sha256_update(&hash, sizeof(m->created), (const uint8_t *)&m->created);
	for (size_t i = 0; i < m->package_count; i++)
		sha256_update(&hash, 2 * SHA256_LEN, (const uint8_t *)m->packages[i].sha256);
	hash_end(&hash, sum);
}

static json_t *time_of(const struct manifest *m)
{
	return field_of_time(m->changed ? m->changed : m->created);
}

/* --- SPDX --- */

/* Identifiers have only letters, digits, "." and "-". The hash keeps them different. */
static json_t *spdx_id(const struct manifest_package *p)
{
	char *text;

	if (asprintf(&text, "SPDXRef-%s-%s", p->name, p->sha256) < 0)
		return NULL;
	for (char *c = text; *c; c++)
		if (!is_one_of(*c, ".-"))
			*c = '-';
	return take_string(text);
}

static json_t *spdx_package(const struct manifest *m, const struct manifest_package *p)
{
	return json_pack(
		"{s:o, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:o, s:[{s:s, s:s}], s:[{s:s, s:s, "
		"s:o}]}",
		"SPDXID", spdx_id(p), "name", p->name, "versionInfo", p->version,
		"downloadLocation", UNKNOWN, "filesAnalyzed", 0, "licenseConcluded", UNKNOWN,
		"licenseDeclared", UNKNOWN, "copyrightText", UNKNOWN, "sourceInfo",
		string_of("built from the source package %s %s", p->source, p->source_version),
		"checksums", "algorithm", "SHA256", "checksumValue", p->sha256, "externalRefs",
		"referenceCategory", "PACKAGE-MANAGER", "referenceType", "purl", "referenceLocator",
		take_string(sbom_package_url(m, p)));
}

static json_t *spdx_relationship(const char *from, const char *type, json_t *to)
{
	return json_pack("{s:s, s:s, s:o}", "spdxElementId", from, "relationshipType", type,
			 "relatedSpdxElement", to);
}

static json_t *spdx_document(const struct manifest *m, const char *name)
{
	static const char rootfs[] = "SPDXRef-rootfs";
	json_t *packages = json_array(), *relationships = json_array();
	_cleanup_free_ char *uri_name = escaped(name, "-._~");
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];
	json_t *namespace;

	digest_of(m, name, sum);
	sha256_to_hex(sum, hex);
	namespace = uri_name ? string_of(NAMESPACE "%s-%s", uri_name, hex) : NULL;
	json_array_append_new(packages, json_pack("{s:s, s:s, s:o, s:s, s:b, s:s, s:s, s:s, s:s}",
						  "SPDXID", rootfs, "name", name, "versionInfo",
						  string_of("%s %s, generation %u", m->distribution,
							    m->suite, m->generation),
						  "downloadLocation", UNKNOWN, "filesAnalyzed", 0,
						  "licenseConcluded", UNKNOWN, "licenseDeclared",
						  UNKNOWN, "copyrightText", UNKNOWN,
						  "primaryPackagePurpose", "OPERATING-SYSTEM"));
	json_array_append_new(relationships, spdx_relationship("SPDXRef-DOCUMENT", "DESCRIBES",
							       json_string(rootfs)));
	for (size_t i = 0; i < m->package_count; i++) {
		json_array_append_new(packages, spdx_package(m, &m->packages[i]));
		json_array_append_new(relationships, spdx_relationship(rootfs, "CONTAINS",
								       spdx_id(&m->packages[i])));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:{s:o, s:[s]}, s:o, s:o}", "spdxVersion",
			 "SPDX-2.3", "dataLicense", "CC0-1.0", "SPDXID", "SPDXRef-DOCUMENT", "name",
			 name, "documentNamespace", namespace, "creationInfo", "created",
			 time_of(m), "creators", "Tool: rootlet-" ROOTLET_VERSION, "packages",
			 packages, "relationships", relationships);
}

/* --- CycloneDX --- */

static json_t *cyclonedx_component(const struct manifest *m, const struct manifest_package *p)
{
	_cleanup_free_ char *url = sbom_package_url(m, p);

	if (!url)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s}], s:[{s:s, s:o}]}", "type",
			 "library", "bom-ref", url, "name", p->name, "version", p->version, "purl",
			 url, "hashes", "alg", "SHA-256", "content", p->sha256, "properties",
			 "name", "rootlet:source", "value",
			 string_of("%s %s", p->source, p->source_version));
}

/* A version 8 UUID, whose bits are the application's own: RFC 9562. */
static json_t *cyclonedx_serial(const uint8_t sum[static SHA256_LEN])
{
	uint8_t u[16];

	memcpy(u, sum, sizeof(u));
	u[6] = (uint8_t)(0x80 | (u[6] & 0x0f));
	u[8] = (uint8_t)(0x80 | (u[8] & 0x3f));
	return string_of("urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			 "%02x%02x%02x%02x%02x%02x",
			 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11],
			 u[12], u[13], u[14], u[15]);
}

static json_t *cyclonedx_document(const struct manifest *m, const char *name)
{
	static const char rootfs[] = "rootfs";
	json_t *components = json_array(), *contained = json_array();
	uint8_t sum[SHA256_LEN];

	digest_of(m, name, sum);
	for (size_t i = 0; i < m->package_count; i++) {
		json_array_append_new(components, cyclonedx_component(m, &m->packages[i]));
		json_array_append_new(contained, take_string(sbom_package_url(m, &m->packages[i])));
	}
	return json_pack(
		"{s:s, s:s, s:o, s:i, s:{s:o, s:{s:[{s:s, s:s, s:s}]}, s:{s:s, s:s, s:s, s:o}}, "
		"s:o, s:[{s:s, s:o}]}",
		"bomFormat", "CycloneDX", "specVersion", "1.5", "serialNumber",
		cyclonedx_serial(sum), "version", 1, "metadata", "timestamp", time_of(m), "tools",
		"components", "type", "application", "name", "rootlet", "version", ROOTLET_VERSION,
		"component", "type", "operating-system", "bom-ref", rootfs, "name", name, "version",
		string_of("%s %s, generation %u", m->distribution, m->suite, m->generation),
		"components", components, "dependencies", "ref", rootfs, "dependsOn", contained);
}

int sbom_compose(const struct manifest *m, const char *name, enum sbom_format format, char **text,
		 struct error **err)
{
	_cleanup_(json_free) json_t *root = NULL;
	_cleanup_free_ char *dump = NULL;

	for (size_t i = 0; i < m->package_count; i++)
		if (!m->packages[i].sha256)
			return error_set(err, ERR_INPUT,
					 "cannot list the packages of %s: an older rootlet created "
					 "it, which did not record their hashes; rebuild it with: "
					 "rootlet create --force",
					 name);
	root = format == SBOM_SPDX ? spdx_document(m, name) : cyclonedx_document(m, name);
	dump = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	return dump && asprintf(text, "%s\n", dump) >= 0 ? 0 : error_no_memory(err);
}
