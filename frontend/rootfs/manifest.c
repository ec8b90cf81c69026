#include "frontend/rootfs/manifest.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "frontend/archive/package_words.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/view.h"
#include "lib/error_wrap.h"
#include "lib/hex_read.h"
#include "lib/write_all.h"
#include "proto/validate.h"

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"
#define TEXT_FIELD_MAX 1024

static void json_free(json_t **json)
{
	json_decref(*json);
}

/* A text field that VALID accepts (NULL: anything printable); the caller frees it. */
static char *manifest_take_text(const json_t *object, const char *key, bool (*valid)(const char *))
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) > TEXT_FIELD_MAX || (valid && !valid(text)) ||
	    !text_is_clean(text))
		return NULL;
	return strdup(text);
}

static bool manifest_take_number(const json_t *object, const char *key, uint32_t *out)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool valid_version(const char *s)
{
	return *s && strlen(s) <= 200 && !strchr(s, ' ');
}

static bool valid_hash(const char *s)
{
	uint8_t sum[SHA256_LEN];

	return sha256_from_hex(s, strlen(s), sum);
}

static bool manifest_take_packages(json_t *object, struct manifest *m)
{
	size_t count = json_object_size(object);
	const char *name;
	json_t *version;

	if (!json_is_object(object) || count > PACKAGES_MAX)
		return false;
	m->packages = calloc(count + 1, sizeof(*m->packages));
	if (!m->packages)
		return false;
	json_object_foreach(object, name, version)
	{
		struct manifest_package *p = &m->packages[m->package_count++];

		if (!valid_package_name(name) || !(p->name = strdup(name)) ||
		    !(p->version = manifest_take_text(object, name, valid_version)))
			return false;
	}
	return true;
}

static bool take_groups(const json_t *array, struct manifest *m)
{
	size_t count = json_array_size(array), i;
	json_t *item;

	if (!json_is_array(array) || count > PACKAGES_MAX)
		return false;
	m->groups = calloc(count + 1, sizeof(*m->groups));
	if (!m->groups)
		return false;
	json_array_foreach(array, i, item)
	{
		struct account_group *g = &m->groups[m->group_count++];

		g->name = manifest_take_text(item, "name", valid_account_name);
		if (!g->name || !manifest_take_number(item, "gid", &g->gid) ||
		    !valid_account_id(g->gid))
			return false;
	}
	return true;
}

static bool take_memberships(const json_t *array, struct account *user)
{
	size_t count = json_array_size(array), i;
	json_t *item;

	if (!json_is_array(array) || count > GROUPS_MAX)
		return false;
	user->groups = calloc(count + 1, sizeof(*user->groups));
	if (!user->groups)
		return false;
	json_array_foreach(array, i, item)
	{
		const char *name = json_string_value(item);

		if (!valid_account_name(name) ||
		    !(user->groups[user->group_count++] = strdup(name)))
			return false;
	}
	return true;
}

static bool take_users(const json_t *array, struct manifest *m)
{
	size_t count = json_array_size(array), i;
	json_t *item;

	if (!json_is_array(array) || count > PACKAGES_MAX)
		return false;
	m->users = calloc(count + 1, sizeof(*m->users));
	if (!m->users)
		return false;
	json_array_foreach(array, i, item)
	{
		struct account *u = &m->users[m->user_count++];

		u->name = manifest_take_text(item, "name", valid_account_name);
		u->home = manifest_take_text(item, "home", valid_inner_path);
		u->shell = manifest_take_text(item, "shell", valid_inner_path);
		if (!u->name || !u->home || !u->shell ||
		    !manifest_take_number(item, "uid", &u->uid) ||
		    !manifest_take_number(item, "gid", &u->gid) || !valid_account_id(u->uid) ||
		    !valid_account_id(u->gid) ||
		    !take_memberships(json_object_get(item, "groups"), u))
			return false;
	}
	return true;
}

static bool take_time(const json_t *root, const char *key, int64_t *out)
{
	const char *text = json_string_value(json_object_get(root, key));
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, TIME_FORMAT, &tm) : NULL;

	if (!end || *end)
		return false;
	*out = timegm(&tm);
	return true;
}

/* Missing if the list is empty, and in manifests of older versions. */
static bool manifest_take_choices(const json_t *array, char ***choices)
{
	const json_t *word;
	size_t i, count = 0;

	if (array && (!json_is_array(array) || json_array_size(array) > PACKAGES_MAX))
		return false;
	json_array_foreach(array, i, word)
	{
		const char *text = json_string_value(word);

		if (!text || !valid_package_choice(text) || words_add(choices, &count, text) < 0)
			return false;
	}
	return true;
}

/* Missing in manifests of older versions. */
static bool manifest_take_changes(const json_t *root, struct manifest *m)
{
	m->generation = 1;
	return (!json_object_get(root, "generation") ||
		manifest_take_number(root, "generation", &m->generation)) &&
	       (!json_object_get(root, "changed") || take_time(root, "changed", &m->changed)) &&
	       manifest_take_choices(json_object_get(root, "added"), &m->added) &&
	       manifest_take_choices(json_object_get(root, "components"), &m->components);
}

static bool take_all(const json_t *root, struct manifest *m)
{
	const json_t *range = json_object_get(root, "id_range");

	m->profile = manifest_take_text(root, "profile", valid_rootfs_name);
	m->profile_sha256 = manifest_take_text(root, "profile_sha256", valid_hash);
	m->suite = manifest_take_text(root, "suite", valid_archive_word);
	m->arch = manifest_take_text(root, "arch", valid_archive_word);
	m->distribution = manifest_take_text(root, "distribution", NULL);
	m->mirror = manifest_take_text(root, "mirror", NULL);
	return m->profile && m->profile_sha256 && m->suite && m->arch && m->distribution &&
	       m->mirror && manifest_take_number(range, "first_uid", &m->first_uid) &&
	       manifest_take_number(range, "first_gid", &m->first_gid) &&
	       manifest_take_number(range, "count", &m->count) &&
	       take_time(root, "created", &m->created) &&
	       manifest_take_packages(json_object_get(root, "packages"), m) &&
	       manifest_take_choices(json_object_get(root, "left_out"), &m->left_out) &&
	       manifest_take_changes(root, m) && take_groups(json_object_get(root, "groups"), m) &&
	       take_users(json_object_get(root, "users"), m);
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
	if (!manifest_take_number(root, "format", &format) || format != MANIFEST_FORMAT)
		return error_set(err, ERR_INPUT,
				 "%s: format %u is not supported, only %d is; use the "
				 "version of rootlet that made the rootfs",
				 MANIFEST_PATH, format, MANIFEST_FORMAT);
	if (!take_all(root, m))
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

static json_t *pack_accounts(const struct manifest *m, json_t *users)
{
	for (size_t i = 0; i < m->user_count; i++) {
		const struct account *u = &m->users[i];
		json_t *groups = json_array();

		for (size_t j = 0; j < u->group_count; j++)
			json_array_append_new(groups, json_string(u->groups[j]));
		json_array_append_new(users, json_pack("{s:s, s:I, s:I, s:s, s:s, s:o}", "name",
						       u->name, "uid", (json_int_t)u->uid, "gid",
						       (json_int_t)u->gid, "home", u->home, "shell",
						       u->shell, "groups", groups));
	}
	return users;
}

static json_t *pack_time(int64_t at)
{
	time_t seconds = (time_t)at;
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), TIME_FORMAT, &tm);
	return json_string(text);
}

/* NULL, which json_pack() leaves out, if the list is empty. */
static json_t *pack_choices(char *const *choices)
{
	json_t *array = choices && *choices ? json_array() : NULL;

	for (; choices && *choices; choices++)
		json_array_append_new(array, json_string(*choices));
	return array;
}

/* NULL if out of memory. */
static json_t *pack(const struct manifest *m)
{
	json_t *packages = json_object(), *groups = json_array();

	for (size_t i = 0; i < m->package_count; i++)
		json_object_set_new(packages, m->packages[i].name,
				    json_string(m->packages[i].version));
	for (size_t i = 0; i < m->group_count; i++)
		json_array_append_new(groups, json_pack("{s:s, s:I}", "name", m->groups[i].name,
							"gid", (json_int_t)m->groups[i].gid));
	return json_pack("{s:i, s:o, s:I, s:o*, s:s, s:s, s:s, s:s, s:s, s:s, "
			 "s:{s:I, s:I, s:I}, s:o, s:o, s:o, s:o*, s:o*, s:o*}",
			 "format", MANIFEST_FORMAT, "created", pack_time(m->created), "generation",
			 (json_int_t)m->generation, "changed",
			 m->changed ? pack_time(m->changed) : NULL, "profile", m->profile,
			 "profile_sha256", m->profile_sha256, "suite", m->suite, "arch", m->arch,
			 "distribution", m->distribution, "mirror", m->mirror, "id_range",
			 "first_uid", (json_int_t)m->first_uid, "first_gid",
			 (json_int_t)m->first_gid, "count", (json_int_t)m->count, "groups", groups,
			 "users", pack_accounts(m, json_array()), "packages", packages, "left_out",
			 pack_choices(m->left_out), "added", pack_choices(m->added), "components",
			 pack_choices(m->components));
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

void manifest_free(struct manifest **m)
{
	struct manifest *manifest = *m;

	if (!manifest)
		return;
	for (size_t i = 0; i < manifest->package_count; i++) {
		free(manifest->packages[i].name);
		free(manifest->packages[i].version);
	}
	for (size_t i = 0; i < manifest->user_count; i++)
		account_clear(&manifest->users[i]);
	for (size_t i = 0; i < manifest->group_count; i++)
		free(manifest->groups[i].name);
	free(manifest->packages);
	words_free(manifest->left_out);
	words_free(manifest->added);
	words_free(manifest->components);
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
