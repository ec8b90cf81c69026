#include "frontend/rootfs/manifest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "frontend/archive/package_words.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/manifest_fields.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"
#include "proto/validate.h"

/* What a rootfs was made of, which format 1 does not have. */
static bool take_made_of(const json_t *root, struct manifest *m)
{
	m->engine = field_text(root, "engine", valid_engine);
	return m->engine &&
	       field_words(json_object_get(root, "components"), valid_archive_word,
			   &m->components) &&
	       field_words(json_object_get(root, "requested"), valid_package_choice,
			   &m->requested) &&
	       field_words(json_object_get(root, "optional"), valid_package_choice, &m->optional) &&
	       fields_take_filters(json_object_get(root, "filters"), m) &&
	       fields_take_releases(json_object_get(root, "releases"), m);
}

/* Missing in manifests of older versions. */
static bool take_changes(const json_t *root, struct manifest *m)
{
	m->generation = 1;
	return (!json_object_get(root, "generation") ||
		field_number(root, "generation", &m->generation)) &&
	       (!json_object_get(root, "changed") || field_time(root, "changed", &m->changed));
}

/* Missing unless it follows a publisher. Which one, the tree does not say: see publisher.h. */
static bool take_published(const json_t *published, struct manifest *m)
{
	if (!published)
		return true;
	m->published = field_text(published, "name", valid_archive_word);
	return m->published && field_number(published, "generation", &m->published_generation);
}

static json_t *pack_published(const struct manifest *m)
{
	return json_pack("{s:s, s:I}", "name", m->published, "generation",
			 (json_int_t)m->published_generation);
}

/* A rootfs made from a lock has no range in its manifest: it is the same on every host. */
static bool manifest_take_range(const json_t *range, struct manifest *m)
{
	return !range || (field_number(range, "first_uid", &m->first_uid) &&
			  field_number(range, "first_gid", &m->first_gid) &&
			  field_number(range, "count", &m->count));
}

static bool take_all(const json_t *root, uint32_t format, struct manifest *m)
{
	m->profile = field_text(root, "profile", valid_rootfs_name);
	m->profile_sha256 = field_text(root, "profile_sha256", valid_hash);
	m->suite = field_text(root, "suite", valid_archive_word);
	m->arch = field_text(root, "arch", valid_archive_word);
	m->distribution = field_text(root, "distribution", NULL);
	m->mirror = field_text(root, "mirror", NULL);
	return m->profile && m->profile_sha256 && m->suite && m->arch && m->distribution &&
	       m->mirror && field_dated(root, m) &&
	       fields_take_repositories(json_object_get(root, "repositories"), m) &&
	       manifest_take_range(json_object_get(root, "id_range"), m) &&
	       field_time(root, "created", &m->created) && take_changes(root, m) &&
	       take_published(json_object_get(root, "published"), m) &&
	       fields_take_packages(json_object_get(root, "packages"), format == 1, m) &&
	       field_words(json_object_get(root, "left_out"), valid_package_choice, &m->left_out) &&
	       fields_take_groups(json_object_get(root, "groups"), m) &&
	       fields_take_users(json_object_get(root, "users"), m) &&
	       (format == 1 || take_made_of(root, m));
}

int manifest_parse(const char *text, size_t size, struct manifest **out, struct error **err)
{
	_cleanup_(manifest_free) struct manifest *m = calloc(1, sizeof(*m));
	_cleanup_(json_free) json_t *root = NULL;
	json_error_t where;
	uint32_t format = 0;

	if (!m)
		return error_no_memory(err);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return error_set(err, ERR_INPUT, "%s, line %d: %s", MANIFEST_PATH, where.line,
				 where.text);
	if (!field_number(root, "format", &format) || format < 1 || format > MANIFEST_FORMAT)
		return error_set(err, ERR_INPUT,
				 "%s: format %u is not supported, only 1 to %d are; use the "
				 "version of rootlet that made the rootfs",
				 MANIFEST_PATH, format, MANIFEST_FORMAT);
	if (!take_all(root, format, m))
		return error_set(err, ERR_INPUT, "%s: a field is missing or malformed",
				 MANIFEST_PATH);
	*out = STEAL_PTR(m);
	return 0;
}

int manifest_read(struct helper *h, int rootfs, struct manifest **out, struct error **err)
{
	size_t size = 0;
	_cleanup_free_ char *text = view_read(h, rootfs, "manifest", &size, err);

	return text ? manifest_parse(text, size, out, err)
		    : error_wrap(err, "cannot read the manifest");
}

static json_t *pack_range(const struct manifest *m)
{
	return json_pack("{s:I, s:I, s:I}", "first_uid", (json_int_t)m->first_uid, "first_gid",
			 (json_int_t)m->first_gid, "count", (json_int_t)m->count);
}

/* Without the fields that it does not have, a manifest that was read in format 1 stays in it. NULL
 * if out of memory. */
static json_t *pack(const struct manifest *m)
{
	json_t *root = json_pack(
		"{s:i, s:o, s:I, s:o*, s:s, s:s, s:s, s:s, s:s, s:s, s:o*, s:o*, s:o, s:o, "
		"s:o, s:o*}",
		"format", m->engine ? MANIFEST_FORMAT : 1, "created", field_of_time(m->created),
		"generation", (json_int_t)m->generation, "changed",
		m->changed ? field_of_time(m->changed) : NULL, "profile", m->profile,
		"profile_sha256", m->profile_sha256, "suite", m->suite, "arch", m->arch,
		"distribution", m->distribution, "mirror", m->mirror, "dated", field_of_dated(m),
		"id_range", m->count ? pack_range(m) : NULL, "groups", fields_of_groups(m), "users",
		fields_of_users(m), "packages", fields_of_packages(m), "left_out",
		m->left_out ? field_of_words(m->left_out) : NULL);

	if (!m->engine || !root)
		return root;
	if (m->published)
		json_object_set_new(root, "published", pack_published(m));
	json_object_set_new(root, "engine", json_string(m->engine));
	json_object_set_new(root, "components", field_of_words(m->components));
	if (m->repository_count)
		json_object_set_new(root, "repositories", fields_of_repositories(m));
	json_object_set_new(root, "requested", field_of_words(m->requested));
	json_object_set_new(root, "optional", field_of_words(m->optional));
	json_object_set_new(root, "filters", fields_of_filters(m));
	json_object_set_new(root, "releases", fields_of_releases(m));
	return root;
}

int manifest_write(const struct manifest *m, int *fd, struct error **err)
{
	_cleanup_close_ int file = memfd_create("manifest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	_cleanup_(json_free) json_t *root = pack(m);

	if (!root)
		return error_set(err, ERR_SYSTEM, "cannot compose the manifest");
	if (file < 0 || json_dumpfd(root, file, JSON_INDENT(2)) < 0 ||
	    write_all(file, "\n", 1) < 0 || lseek(file, 0, SEEK_SET) < 0 ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write the manifest");
	*fd = steal_fd(&file);
	return 0;
}

int manifest_require_complete(const struct manifest *m, const char *action, const char *path,
			      struct error **err)
{
	if (m->engine && m->release_count && m->package_count)
		return 0;
	return error_set(err, ERR_INPUT,
			 "cannot %s %s: an older rootlet created it, which did not record what it "
			 "was made of; rebuild it with: rootlet create --force",
			 action, path);
}

void manifest_package_clear(struct manifest_package *package)
{
	free(package->name);
	free(package->version);
	free(package->arch);
	free(package->sha256);
	free(package->source);
	free(package->source_version);
	*package = (struct manifest_package){ 0 };
}

void manifest_release_clear(struct manifest_release *release)
{
	free(release->pocket);
	free(release->mirror);
	free(release->sha256);
	*release = (struct manifest_release){ 0 };
}

void manifest_clear_packages(struct manifest *m)
{
	for (size_t i = 0; i < m->package_count; i++)
		manifest_package_clear(&m->packages[i]);
	for (size_t i = 0; i < m->release_count; i++)
		manifest_release_clear(&m->releases[i]);
	free(m->packages);
	free(m->releases);
}

void manifest_free(struct manifest **m)
{
	struct manifest *manifest = *m;

	if (!manifest)
		return;
	manifest_clear_packages(manifest);
	for (size_t i = 0; i < manifest->user_count; i++)
		account_clear(&manifest->users[i]);
	for (size_t i = 0; i < manifest->group_count; i++)
		free(manifest->groups[i].name);
	for (size_t i = 0; i < manifest->filter_count; i++)
		free(manifest->filters[i].pattern);
	free(manifest->filters);
	repositories_free(manifest->repositories, manifest->repository_count);
	words_free(manifest->left_out);
	words_free(manifest->components);
	words_free(manifest->requested);
	words_free(manifest->optional);
	free(manifest->published);
	free(manifest->engine);
	free(manifest->users);
	free(manifest->groups);
	free(manifest->profile);
	free(manifest->profile_sha256);
	free(manifest->suite);
	free(manifest->arch);
	free(manifest->distribution);
	free(manifest->mirror);
	free(manifest);
	*m = NULL;
}
