#include "frontend/rootfs/provenance_compare.h"

#include <string.h>

#include "frontend/rootfs/manifest_fields.h"
#include "frontend/rootfs/provenance.h"

#define PLACE_MAX 200
#define SHOWN_MAX 120 /* bytes of a value */
#define DEPTH_MAX 16  /* a statement has less */

/* What may differ, and what it must be. */
static const struct {
	const char *place;
	bool (*valid)(const char *);
} free_fields[] = {
	{ "subject.0.name", NULL },
	{ "predicate.runDetails.builder.version.rootlet", NULL },
	{ "predicate.runDetails.metadata.invocationId", valid_hash },
};

#define DEPENDENCIES "predicate.buildDefinition.resolvedDependencies"

/* VALUE as text, cut off if it is long. */
static const char *shown(const json_t *value, char out[static SHOWN_MAX + 8])
{
	_cleanup_free_ char *dump =
		value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	snprintf(out, SHOWN_MAX + 8, "%.*s%s", SHOWN_MAX, dump ? dump : "nothing",
		 dump && strlen(dump) > SHOWN_MAX ? "…" : "");
	return out;
}

static bool may_differ(const char *place, const json_t *value)
{
	for (size_t i = 0; i < sizeof(free_fields) / sizeof(*free_fields); i++)
		if (strcmp(place, free_fields[i].place) == 0)
			return !value || (json_is_string(value) &&
					  (!free_fields[i].valid ||
					   free_fields[i].valid(json_string_value(value))));
	return false;
}

/* --- packages and release files --- */

/* {name: dependency}; names that occur twice, or not at all, are differences. NULL if out of
 * memory. */
static json_t *by_name(const json_t *list, struct findings *f)
{
	json_t *found = json_object(), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));

		if (!name) {
			findings_add(f, "dependency %zu of the statement has no name", i);
		} else if (json_object_get(found, name)) {
			findings_add(f, "%s: it is in the statement twice", name);
		} else if (json_object_set(found, name, item) < 0) {
			json_decref(found);
			return NULL;
		}
	}
	return found;
}

static const char *uri_of(const json_t *dependency)
{
	const char *uri = json_string_value(json_object_get(dependency, "uri"));

	return uri ? uri : "nothing";
}

static const char *hash_of_dependency(const json_t *dependency)
{
	const json_t *digest = json_object_get(dependency, "digest");
	const char *hash = json_string_value(json_object_get(digest, "sha256"));

	return hash ? hash : "nothing";
}

static void compare_dependency(const char *name, const json_t *was, const json_t *is,
			       struct findings *f)
{
	const char *kind = strchr(name, '/') ? "release file" : "package";

	if (!is)
		findings_add(f, "%s %s: the statement has %s, the rootfs does not", kind, name,
			     uri_of(was));
	else if (!was)
		findings_add(f, "%s %s: the rootfs has %s, the statement does not", kind, name,
			     uri_of(is));
	else if (strcmp(uri_of(was), uri_of(is)) != 0)
		findings_add(f, "%s %s: the statement has %s, the rootfs has %s", kind, name,
			     uri_of(was), uri_of(is));
	else if (strcmp(hash_of_dependency(was), hash_of_dependency(is)) != 0)
		findings_add(f, "%s %s: its SHA-256 in the statement is %s, in the rootfs %s", kind,
			     name, hash_of_dependency(was), hash_of_dependency(is));
	else
		findings_add(f, "%s %s: the statement has other details of it than the rootfs",
			     kind, name);
}

static void compare_dependencies(const json_t *was, const json_t *is, struct findings *f)
{
	_cleanup_(json_free) json_t *before = by_name(was, f);
	_cleanup_(json_free) json_t *after = by_name(is, f);
	const char *name;
	json_t *one;

	if (!before || !after)
		findings_add(f, "%s: out of memory", DEPENDENCIES);
	if (!json_is_array(was))
		findings_add(f, "%s: the statement has no list", DEPENDENCIES);
	json_object_foreach(before, name, one)
	{
		const json_t *other = json_object_get(after, name);

		if (!other || !json_equal(one, other))
			compare_dependency(name, one, other, f);
	}
	json_object_foreach(after, name, one) if (!json_object_get(before, name))
		compare_dependency(name, NULL, one, f);
}

/* --- all other fields --- */

static void compare_values(const char *place, const json_t *was, const json_t *is, int depth,
			   struct findings *f);

static void compare_member(const char *place, const char *key, const json_t *was, const json_t *is,
			   int depth, struct findings *f)
{
	/* A key with a dot must not pass for a place. */
	const char *quote = strchr(key, '.') ? "\"" : "";
	char inner[PLACE_MAX];

	snprintf(inner, sizeof(inner), "%s%s%s%s%s", place, *place ? "." : "", quote, key, quote);
	compare_values(inner, was, is, depth, f);
}

static void compare_objects(const char *place, const json_t *was, const json_t *is, int depth,
			    struct findings *f)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)was, key, value)
		compare_member(place, key, value, json_object_get(is, key), depth, f);
	json_object_foreach((json_t *)(uintptr_t)is, key, value)
	{
		if (!json_object_get(was, key))
			compare_member(place, key, NULL, value, depth, f);
	}
}

static void compare_arrays(const char *place, const json_t *was, const json_t *is, int depth,
			   struct findings *f)
{
	size_t count = json_array_size(was) > json_array_size(is) ? json_array_size(was)
								  : json_array_size(is);
	char index[24];

	for (size_t i = 0; i < count; i++) {
		snprintf(index, sizeof(index), "%zu", i);
		compare_member(place, index, json_array_get(was, i), json_array_get(is, i), depth,
			       f);
	}
}

static void compare_values(const char *place, const json_t *was, const json_t *is, int depth,
			   struct findings *f)
{
	char before[SHOWN_MAX + 8], after[SHOWN_MAX + 8];

	if ((was && is && json_equal(was, is)) || may_differ(place, was))
		return;
	if (strcmp(place, "subject.0.digest." PROVENANCE_TREE) == 0)
		findings_add(f,
			     "files: the digest of the tree is %s, in the statement %s: files were "
			     "changed, added or removed since; to find those of packages, run: "
			     "rootlet check --deep",
			     json_string_value(is), json_string_value(was));
	else if (strcmp(place, DEPENDENCIES) == 0)
		compare_dependencies(was, is, f);
	else if (depth < DEPTH_MAX && json_is_object(was) && json_is_object(is))
		compare_objects(place, was, is, depth + 1, f);
	else if (depth < DEPTH_MAX && json_is_array(was) && json_is_array(is))
		compare_arrays(place, was, is, depth + 1, f);
	else
		findings_add(f, "%s: the statement has %s, the rootfs %s", place,
			     shown(was, before), shown(is, after));
}

void provenance_compare(const json_t *signed_one, const json_t *now, struct findings *differences)
{
	compare_values("", signed_one, now, 0, differences);
}
