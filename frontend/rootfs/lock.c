#include "frontend/rootfs/lock.h"

#include <fcntl.h>
#include <string.h>

#include "frontend/archive/package_words.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/release_seen.h"
#include "frontend/rootfs/manifest_fields.h"
#include "lib/hash.h"
#include "lib/read_all.h"

#define EPOCH_MAX UINT32_MAX /* as in requests to the helper */

/* --- writing --- */

static int64_t newest(const struct manifest *m)
{
	int64_t date = 0;

	for (size_t i = 0; i < m->release_count; i++)
		if (m->releases[i].date > date)
			date = m->releases[i].date;
	return date;
}

static json_t *lock_pack_repositories(const struct manifest *m)
{
	json_t *repositories = m->repository_count ? fields_of_repositories(m) : NULL, *item;
	size_t i;

	json_array_foreach(repositories, i, item)
	{
		_cleanup_free_ char *place = release_seen_place(m->repositories[i].mirror);

		if (place)
			json_object_set_new(item, "mirror", json_string(place));
		else
			json_object_del(item, "mirror");
	}
	return repositories;
}

/* MIRROR has no user name and password: locks are passed on. */
static json_t *lock_pack(const struct manifest *m, const char *mirror)
{
	json_t *profile = json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", m->profile, "sha256",
		m->profile_sha256, "requested", field_of_words(m->requested), "optional",
		field_of_words(m->optional), "left_out", field_of_words(m->left_out), "filters",
		fields_of_filters(m), "groups", fields_of_groups(m), "users", fields_of_users(m));

	return json_pack("{s:i, s:o, s:s, s:s, s:s, s:s, s:o*, s:s, s:o, s:o*, s:o, s:o, s:o}",
			 "lock", LOCK_FORMAT, "epoch", field_of_time(newest(m)), "distribution",
			 m->distribution, "suite", m->suite, "arch", m->arch, "mirror", mirror,
			 "dated", field_of_dated(m), "engine", m->engine, "components",
			 field_of_words(m->components), "repositories", lock_pack_repositories(m),
			 "releases", fields_of_releases(m), "profile", profile, "packages",
			 fields_of_packages(m));
}

int lock_compose(const struct manifest *m, const char *path, char **text, struct error **err)
{
	_cleanup_free_ char *mirror = release_seen_place(m->mirror);
	_cleanup_(json_free) json_t *root = NULL;
	_cleanup_free_ char *dump = NULL;

	if (manifest_require_complete(m, "lock", path, err) < 0)
		return -1;
	root = mirror ? lock_pack(m, mirror) : NULL;
	dump = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	return dump && asprintf(text, "%s\n", dump) >= 0 ? 0 : error_no_memory(err);
}

int lock_digest(const struct manifest *lock, char hex[static 2 * SHA256_LEN + 1])
{
	_cleanup_(json_free) json_t *root = lock_pack(lock, lock->mirror);
	_cleanup_free_ char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	uint8_t sum[SHA256_LEN];

	if (!text)
		return -1;
	hash_of(text, strlen(text), sum);
	sha256_to_hex(sum, hex);
	return 0;
}

/* --- reading --- */

static int lock_malformed(const char *file, const char *where, struct error **err)
{
	return error_set(err, ERR_INPUT, "%s: %s is missing or malformed", file, where);
}

/* NAMES: the fields that OBJECT may have, each in blanks. */
static int check_known(const json_t *object, const char *names, const char *file, const char *where,
		       struct error **err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		char padded[64];

		if (strlen(name) < sizeof(padded) - 2 && !strchr(name, ' ')) {
			snprintf(padded, sizeof(padded), " %s ", name);
			if (strstr(names, padded))
				continue;
		}
		return error_set(err, ERR_INPUT,
				 "%s: unknown field \"%.60s\" in %s; a newer rootlet may have "
				 "written it",
				 file, name, where);
	}
	return 0;
}

static int check_all_known(const json_t *array, const char *names, const char *file,
			   const char *where, struct error **err)
{
	const json_t *item;
	size_t i;

	json_array_foreach(array, i,
			   item) if (check_known(item, names, file, where, err) < 0) return -1;
	return 0;
}

static int take_profile(const json_t *profile, const char *file, struct manifest *m,
			struct error **err)
{
	const json_t *groups = json_object_get(profile, "groups");
	const json_t *users = json_object_get(profile, "users");

	if (check_known(profile, " name sha256 requested optional left_out filters groups users ",
			file, "profile", err) < 0 ||
	    check_all_known(groups, " name gid ", file, "a group", err) < 0 ||
	    check_all_known(users, " name uid gid home shell groups ", file, "a user", err) < 0)
		return -1;
	m->profile = field_text(profile, "name", valid_rootfs_name);
	m->profile_sha256 = field_text(profile, "sha256", valid_hash);
	if (!m->profile || !m->profile_sha256)
		return lock_malformed(file, "name or sha256 of profile", err);
	if (!field_words(json_object_get(profile, "requested"), valid_package_choice,
			 &m->requested) ||
	    !field_words(json_object_get(profile, "optional"), valid_package_choice,
			 &m->optional) ||
	    !field_words(json_object_get(profile, "left_out"), valid_package_choice, &m->left_out))
		return lock_malformed(file, "a list of packages in profile", err);
	if (!fields_take_filters(json_object_get(profile, "filters"), m))
		return lock_malformed(file, "filters of profile", err);
	if (!fields_take_groups(groups, m))
		return lock_malformed(file, "groups of profile", err);
	return fields_take_users(users, m) ? 0 : lock_malformed(file, "users of profile", err);
}

static int lock_take_packages(json_t *packages, const char *file, struct manifest *m,
			      struct error **err)
{
	char where[PACKAGE_NAME_MAX + 16];
	const char *name;
	json_t *package;

	json_object_foreach(packages, name, package)
	{
		snprintf(where, sizeof(where), "package %.*s", PACKAGE_NAME_MAX, name);
		if (check_known(package, " version arch sha256 source source_version repository ",
				file, where, err) < 0)
			return -1;
	}
	if (!fields_take_packages(packages, false, m)) {
		const char *last = m->package_count ? m->packages[m->package_count - 1].name : NULL;

		snprintf(where, sizeof(where), "%s%s", last ? "a field of package " : "packages",
			 last ? last : "");
		return lock_malformed(file, where, err);
	}
	for (size_t i = 0; i < m->package_count; i++) {
		const struct manifest_package *p = &m->packages[i];

		if (strcmp(p->arch, m->arch) != 0 && strcmp(p->arch, "all") != 0)
			return error_set(err, ERR_INPUT,
					 "%s: package %s is of architecture %s, but the lock is "
					 "of %s",
					 file, p->name, p->arch, m->arch);
	}
	return m->package_count ? 0 : lock_malformed(file, "packages", err);
}

static int take_lock(json_t *root, const char *file, struct manifest *m, struct error **err)
{
	const json_t *releases = json_object_get(root, "releases");
	const json_t *repositories = json_object_get(root, "repositories");
	uint32_t format;

	if (!field_number(root, "lock", &format))
		return error_set(err, ERR_INPUT, "%s is not a lock: make one with: rootlet lock",
				 file);
	if (format != LOCK_FORMAT)
		return error_set(err, ERR_INPUT,
				 "%s: format %u of a lock is not supported, only %d is; use the "
				 "version of rootlet that wrote it",
				 file, format, LOCK_FORMAT);
	if (check_known(root,
			" lock epoch distribution suite arch mirror dated engine components "
			"repositories releases profile packages ",
			file, "the lock", err) < 0 ||
	    check_all_known(repositories, " mirror suite components keyring ", file, "a repository",
			    err) < 0 ||
	    check_all_known(releases, " pocket mirror date sha256 ", file, "a release", err) < 0)
		return -1;
	m->suite = field_text(root, "suite", valid_archive_word);
	m->arch = field_text(root, "arch", valid_archive_word);
	m->distribution = field_text(root, "distribution", NULL);
	m->mirror = field_text(root, "mirror", valid_mirror);
	m->engine = field_text(root, "engine", valid_engine);
	if (!m->suite || !m->arch || !m->distribution || !m->mirror || !m->engine)
		return lock_malformed(file, "distribution, suite, arch, mirror or engine", err);
	if (!field_dated(root, m))
		return lock_malformed(file, "dated", err);
	if (!field_words(json_object_get(root, "components"), valid_archive_word, &m->components) ||
	    !m->components)
		return lock_malformed(file, "components", err);
	if (!fields_take_repositories(repositories, m))
		return lock_malformed(file, "repositories", err);
	if (!fields_take_releases(releases, m) || !m->release_count)
		return lock_malformed(file, "releases", err);
	if (!field_time(root, "epoch", &m->created) || m->created <= 0 || m->created > EPOCH_MAX ||
	    m->created != newest(m))
		return error_set(err, ERR_INPUT,
				 "%s: epoch is not the date of the newest of its releases", file);
	return take_profile(json_object_get(root, "profile"), file, m, err) < 0
		       ? -1
		       : lock_take_packages(json_object_get(root, "packages"), file, m, err);
}

int lock_parse(const char *text, size_t size, const char *file, struct manifest **out,
	       struct error **err)
{
	_cleanup_(manifest_free) struct manifest *m = calloc(1, sizeof(*m));
	_cleanup_(json_free) json_t *root = NULL;
	json_error_t where;

	if (!m)
		return error_no_memory(err);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return error_set(err, ERR_INPUT, "%s, line %d: %s", file, where.line, where.text);
	if (take_lock(root, file, m, err) < 0)
		return -1;
	m->generation = 1;
	*out = STEAL_PTR(m);
	return 0;
}

int lock_read(const char *file, struct manifest **out, struct error **err)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	text = fd < 0 ? NULL : read_all(fd, MANIFEST_MAX, &size);
	if (!text)
		return error_errno(err, ERR_INPUT, "cannot read the lock %s", file);
	if (size == MANIFEST_MAX)
		return error_set(err, ERR_INPUT, "%s is too long for a lock", file);
	return lock_parse(text, size, file, out, err);
}

struct profile lock_profile(const struct manifest *lock, const char *path)
{
	struct profile profile = {
		.name = lock->profile,
		.path = (char *)(uintptr_t)path,
		.packages = lock->requested,
		.optional = lock->optional,
		.filters = lock->filters,
		.filter_count = lock->filter_count,
		.groups = lock->groups,
		.group_count = lock->group_count,
		.users = lock->users,
		.user_count = lock->user_count,
	};

	snprintf(profile.sha256, sizeof(profile.sha256), "%s", lock->profile_sha256);
	return profile;
}

/* --- comparing --- */

char **lock_words(const struct manifest *lock)
{
	char **words = calloc(lock->package_count + 1, sizeof(*words));

	for (size_t i = 0; words && i < lock->package_count; i++)
		if (asprintf(&words[i], "%s=%s", lock->packages[i].name,
			     lock->packages[i].version) < 0) {
			words[i] = NULL;
			words_free(words);
			return NULL;
		}
	return words;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct manifest_package *const *)a)->name,
		      (*(const struct manifest_package *const *)b)->name);
}

static int compare_one(const struct manifest_package *want, const struct package *have,
		       struct error **err)
{
	char hex[2 * SHA256_LEN + 1];

	sha256_to_hex(have->sha256, hex);
	if (strcmp(want->sha256, hex) != 0)
		return error_set(err, ERR_TRUST,
				 "package %s %s differs from the lock: its SHA-256 is %s instead "
				 "of %s",
				 have->name, have->version, hex, want->sha256);
	if (strcmp(want->version, have->version) != 0 || strcmp(want->arch, have->arch) != 0)
		return error_set(err, ERR_TRUST,
				 "package %s differs from the lock: it is %s of %s instead of %s "
				 "of %s",
				 have->name, have->version, have->arch, want->version, want->arch);
	if (strcmp(want->source, have->source) != 0 ||
	    strcmp(want->source_version, have->source_version) != 0)
		return error_set(err, ERR_TRUST,
				 "package %s differs from the lock: its source is %s %s instead "
				 "of %s %s",
				 have->name, have->source, have->source_version, want->source,
				 want->source_version);
	return 0;
}

int lock_compare(const struct manifest *lock, const struct package_set *set, struct error **err)
{
	_cleanup_free_ const struct manifest_package **sorted =
		calloc(lock->package_count + 1, sizeof(struct manifest_package *));
	_cleanup_free_ bool *seen = calloc(lock->package_count + 1, sizeof(*seen));

	if (!sorted || !seen)
		return error_no_memory(err);
	for (size_t i = 0; i < lock->package_count; i++)
		sorted[i] = &lock->packages[i];
	qsort(sorted, lock->package_count, sizeof(struct manifest_package *), compare_names);
	if (set->package_count != lock->package_count)
		return error_set(err, ERR_TRUST,
				 "%zu packages were chosen instead of the lock's %zu",
				 set->package_count, lock->package_count);
	for (size_t i = 0; i < set->package_count; i++) {
		const struct manifest_package key = { .name = set->packages[i].name };
		const struct manifest_package *at = &key, **found;

		found = bsearch(&at, sorted, lock->package_count, sizeof(struct manifest_package *),
				compare_names);
		if (!found || seen[found - sorted])
			return error_set(err, ERR_TRUST, "package %s is not in the lock%s",
					 key.name, found ? " twice" : "");
		seen[found - sorted] = true;
		if (compare_one(*found, &set->packages[i], err) < 0)
			return -1;
	}
	return 0;
}
