#include "frontend/rootfs/provenance.h"

#include <string.h>

#include "frontend/client/release_seen.h"
#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/sbom.h"
#include "lib/hash.h"

/* URIs with a scheme of our own: rootlet has no domain. */
#define BUILD_TYPE "rootlet:build-types/rootfs/v1"
#define BUILDER "rootlet:builder"

/* --- writing --- */

static json_t *digest_of_hash(const char *hex)
{
	return json_pack("{s:s}", "sha256", hex);
}

/* "jammy-security/InRelease": no package has a slash in its name. */
static json_t *release_dependency(const struct manifest *m, const struct manifest_release *r)
{
	_cleanup_free_ char *name = NULL;

	if (asprintf(&name, "%s%s%s/InRelease", m->suite, *r->pocket ? "-" : "", r->pocket) < 0) {
		name = NULL;
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o, s:{s:o}}", "name", name, "uri",
			 json_sprintf("%s/dists/%s", r->mirror, name), "digest",
			 digest_of_hash(r->sha256), "annotations", "date", field_of_time(r->date));
}

static json_t *package_dependency(const struct manifest *m, const struct manifest_package *p)
{
	_cleanup_free_ char *url = sbom_package_url(m, p);

	if (!url)
		return NULL;
	return json_pack("{s:s, s:s, s:o, s:{s:s, s:s}}", "name", p->name, "uri", url, "digest",
			 digest_of_hash(p->sha256), "annotations", "source", p->source,
			 "sourceVersion", p->source_version);
}

static json_t *dependencies_of(const struct manifest *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->release_count; i++)
		json_array_append_new(list, release_dependency(m, &m->releases[i]));
	for (size_t i = 0; i < m->package_count; i++)
		json_array_append_new(list, package_dependency(m, &m->packages[i]));
	if (json_array_size(list) == m->release_count + m->package_count)
		return list;
	json_decref(list);
	return NULL;
}

/* The SHA-256 of the file from which `rootlet create --lock` made the rootfs, in the form that
 * `rootlet lock` writes. NULL without an error if it was made otherwise or has changed since. */
static json_t *lock_of(const struct manifest *m, const char *path, struct error **err)
{
	_cleanup_free_ char *text = NULL;
	char hex[2 * SHA256_LEN + 1];
	uint8_t sum[SHA256_LEN];

	if (m->count || m->changed || lock_compose(m, path, &text, err) < 0)
		return NULL;
	hash_of(text, strlen(text), sum);
	sha256_to_hex(sum, hex);
	return json_pack("{s:o}", "digest", digest_of_hash(hex));
}

/* What the user asked for, as in a lock. */
static json_t *parameters_of(const struct manifest *m, const char *path, struct error **err)
{
	_cleanup_free_ char *mirror = release_seen_place(m->mirror);
	json_t *lock = lock_of(m, path, err);

	if (!mirror || (err && *err)) {
		json_decref(lock);
		return NULL;
	}
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:s, s:{s:s, s:o}, s:o, s:o, s:o, s:o, s:o, s:o*}",
		"distribution", m->distribution, "release", m->suite, "architecture", m->arch,
		"mirror", mirror, "components", field_of_words(m->components), "engine", m->engine,
		"profile", "name", m->profile, "digest", digest_of_hash(m->profile_sha256),
		"requested", field_of_words(m->requested), "optional", field_of_words(m->optional),
		"filters", fields_of_filters(m), "groups", fields_of_groups(m), "users",
		fields_of_users(m), "lock", lock);
}

/* A rootfs made from a lock has the lock's date, not that of its own creation. */
static json_t *metadata_of(const struct manifest *m, const char *invocation)
{
	json_t *finished = NULL;

	if (m->changed || m->count)
		finished = field_of_time(m->changed ? m->changed : m->created);
	return json_pack("{s:s*, s:o*}", "invocationId", invocation, "finishedOn", finished);
}

static json_t *predicate_of(const struct manifest *m, const char *invocation, json_t *parameters)
{
	return json_pack("{s:{s:s, s:o, s:{s:I, s:o}, s:o}, s:{s:{s:s, s:{s:s}}, s:o}}",
			 "buildDefinition", "buildType", BUILD_TYPE, "externalParameters",
			 parameters, "internalParameters", "generation", (json_int_t)m->generation,
			 "leftOut", field_of_words(m->left_out), "resolvedDependencies",
			 dependencies_of(m), "runDetails", "builder", "id", BUILDER, "version",
			 "rootlet", ROOTLET_VERSION, "metadata", metadata_of(m, invocation));
}

json_t *provenance_compose(const struct manifest *m, const char *name, const char *path,
			   const uint8_t tree[static SHA256_LEN], const char *invocation,
			   struct error **err)
{
	char hex[2 * SHA256_LEN + 1];
	json_t *parameters, *statement;

	if (manifest_require_complete(m, "describe the origin of", path, err) < 0)
		return NULL;
	parameters = parameters_of(m, path, err);
	if (!parameters) {
		error_no_memory(err);
		return NULL;
	}
	sha256_to_hex(tree, hex);
	statement = json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:o}", "_type", PROVENANCE_STATEMENT,
			      "subject", "name", name, "digest", PROVENANCE_TREE, hex,
			      "predicateType", PROVENANCE_PREDICATE, "predicate",
			      predicate_of(m, invocation, parameters));
	if (!statement)
		error_no_memory(err);
	return statement;
}

/* --- reading --- */

static const char *provenance_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const json_t *subject_of(const json_t *statement)
{
	return json_array_get(json_object_get(statement, "subject"), 0);
}

static const json_t *run_details_of(const json_t *statement)
{
	return json_object_get(json_object_get(statement, "predicate"), "runDetails");
}

const char *provenance_name(const json_t *statement)
{
	return provenance_text(subject_of(statement), "name");
}

const char *provenance_tree(const json_t *statement)
{
	return provenance_text(json_object_get(subject_of(statement), "digest"), PROVENANCE_TREE);
}

const char *provenance_invocation(const json_t *statement)
{
	return provenance_text(json_object_get(run_details_of(statement), "metadata"),
			       "invocationId");
}

static int require_text(const json_t *object, const char *key, const char *wanted, const char *file,
			struct error **err)
{
	const char *is = provenance_text(object, key);

	if (strcmp(is, wanted) == 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s is not the provenance of a rootfs: its %s is \"%.80s\" instead of %s",
			 file, key, is, wanted);
}

json_t *provenance_parse(const char *payload, size_t size, const char *file, struct error **err)
{
	json_error_t where;
	json_t *root = json_loadb(payload, size, JSON_REJECT_DUPLICATES, &where);
	const json_t *predicate = json_object_get(root, "predicate");
	const json_t *definition = json_object_get(predicate, "buildDefinition");

	if (!root) {
		error_set(err, ERR_INPUT, "%s: its payload, line %d: %s", file, where.line,
			  where.text);
		return NULL;
	}
	if (require_text(root, "_type", PROVENANCE_STATEMENT, file, err) == 0 &&
	    require_text(root, "predicateType", PROVENANCE_PREDICATE, file, err) == 0 &&
	    require_text(definition, "buildType", BUILD_TYPE, file, err) == 0) {
		if (valid_hash(provenance_tree(root)))
			return root;
		error_set(err, ERR_INPUT, "%s: its subject has no digest %s", file,
			  PROVENANCE_TREE);
	}
	json_decref(root);
	return NULL;
}
