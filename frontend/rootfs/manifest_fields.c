#include "frontend/rootfs/manifest_fields.h"

#include <string.h>
#include <time.h>

#include "frontend/archive/package_words.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "lib/hex_read.h"
#include "proto/validate.h"

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"
#define TEXT_FIELD_MAX 1024
#define RELEASES_MAX 16 /* more than a release has pockets and repositories */

void json_free(json_t **json)
{
	json_decref(*json);
}

/* --- reading --- */

char *field_text(const json_t *object, const char *key, bool (*valid)(const char *))
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) > TEXT_FIELD_MAX || (valid && !valid(text)) ||
	    !text_is_clean(text))
		return NULL;
	return strdup(text);
}

bool field_number(const json_t *object, const char *key, uint32_t *out)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || n > UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

bool field_time(const json_t *object, const char *key, int64_t *out)
{
	const char *text = json_string_value(json_object_get(object, key));
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, TIME_FORMAT, &tm) : NULL;

	if (!end || *end)
		return false;
	*out = timegm(&tm);
	return true;
}

bool field_dated(const json_t *object, struct manifest *m)
{
	return !json_object_get(object, "dated") ||
	       (field_time(object, "dated", &m->dated) && m->dated > 0 && m->dated <= UINT32_MAX);
}

bool valid_hash(const char *s)
{
	uint8_t sum[SHA256_LEN];

	return sha256_from_hex(s, strlen(s), sum);
}

bool field_words(const json_t *array, bool (*valid)(const char *), char ***words)
{
	const json_t *word;
	size_t i, count = 0;

	if (array && (!json_is_array(array) || json_array_size(array) > PACKAGES_MAX))
		return false;
	json_array_foreach(array, i, word)
	{
		const char *text = json_string_value(word);

		if (!text || !valid(text) || words_add(words, &count, text) < 0)
			return false;
	}
	return true;
}

static bool package_from_json(const json_t *object, struct manifest_package *p)
{
	p->version = field_text(object, "version", valid_package_version);
	p->arch = field_text(object, "arch", valid_archive_word);
	p->sha256 = field_text(object, "sha256", valid_hash);
	p->source = field_text(object, "source", valid_package_name);
	p->source_version = field_text(object, "source_version", valid_package_version);
	if (json_object_get(object, "repository") &&
	    (!field_number(object, "repository", &p->repository) || p->repository == 0 ||
	     p->repository > REPOSITORIES_MAX))
		return false;
	return p->version && p->arch && p->sha256 && p->source && p->source_version;
}

bool fields_take_packages(json_t *object, bool versions, struct manifest *m)
{
	size_t count = json_object_size(object);
	const char *name;
	json_t *value;

	if (!json_is_object(object) || count > PACKAGES_MAX)
		return false;
	m->packages = calloc(count + 1, sizeof(*m->packages));
	if (!m->packages)
		return false;
	json_object_foreach(object, name, value)
	{
		struct manifest_package *p = &m->packages[m->package_count++];

		if (!valid_package_name(name) || !(p->name = strdup(name)))
			return false;
		if (versions && json_is_string(value))
			p->version = field_text(object, name, valid_package_version);
		else if (!package_from_json(value, p))
			return false;
		if (!p->version)
			return false;
	}
	return true;
}

/* Fills the zeroed list *LIST of elements of SIZE bytes from ARRAY, which has MOST items at most.
 * *COUNT includes an element that TAKE could not fill, so that its owner frees it. */
static bool take_list(const json_t *array, size_t most, bool (*take)(const json_t *, void *),
		      void *list, size_t size, size_t *count)
{
	void **elements = list;
	const json_t *item;
	size_t i;

	if (!json_is_array(array) || json_array_size(array) > most)
		return false;
	*elements = calloc(json_array_size(array) + 1, size);
	if (!*elements)
		return false;
	json_array_foreach(array, i, item)
	{
		if (!take(item, (char *)*elements + (*count)++ * size))
			return false;
	}
	return true;
}

static bool valid_path(const char *s)
{
	return *s == '/';
}

static bool repository_from_json(const json_t *item, void *element)
{
	struct repository *r = element;

	r->mirror = field_text(item, "mirror", NULL);
	r->suite = field_text(item, "suite", valid_archive_word);
	r->keyring = field_text(item, "keyring", valid_path);
	return r->mirror && r->suite && r->keyring &&
	       field_words(json_object_get(item, "components"), valid_archive_word,
			   &r->components) &&
	       r->components;
}

bool fields_take_repositories(const json_t *array, struct manifest *m)
{
	return !array || take_list(array, REPOSITORIES_MAX, repository_from_json, &m->repositories,
				   sizeof(*m->repositories), &m->repository_count);
}

static bool release_from_json(const json_t *item, void *element)
{
	struct manifest_release *r = element;

	r->pocket = field_text(item, "pocket", valid_list_place);
	r->mirror = field_text(item, "mirror", valid_mirror);
	r->sha256 = field_text(item, "sha256", valid_hash);
	return r->pocket && r->mirror && r->sha256 && field_time(item, "date", &r->date);
}

bool fields_take_releases(const json_t *array, struct manifest *m)
{
	return take_list(array, RELEASES_MAX, release_from_json, &m->releases, sizeof(*m->releases),
			 &m->release_count);
}

static bool take_filter(const json_t *item, void *element)
{
	struct path_filter *f = element;
	const char *text = json_string_value(item);

	if (!text || !valid_filter(text) || !(f->pattern = strdup(text + 1)))
		return false;
	f->include = *text == '+';
	return true;
}

bool fields_take_filters(const json_t *array, struct manifest *m)
{
	return take_list(array, FILTERS_MAX, take_filter, &m->filters, sizeof(*m->filters),
			 &m->filter_count);
}

static bool take_group(const json_t *item, void *element)
{
	struct account_group *g = element;

	g->name = field_text(item, "name", valid_account_name);
	return g->name && field_number(item, "gid", &g->gid) && valid_account_id(g->gid);
}

bool fields_take_groups(const json_t *array, struct manifest *m)
{
	return take_list(array, PACKAGES_MAX, take_group, &m->groups, sizeof(*m->groups),
			 &m->group_count);
}

static bool take_membership(const json_t *item, void *element)
{
	const char *name = json_string_value(item);

	return name && valid_account_name(name) && (*(char **)element = strdup(name));
}

static bool take_user(const json_t *item, void *element)
{
	struct account *u = element;

	u->name = field_text(item, "name", valid_account_name);
	u->home = field_text(item, "home", valid_inner_path);
	u->shell = field_text(item, "shell", valid_inner_path);
	return u->name && u->home && u->shell && field_number(item, "uid", &u->uid) &&
	       field_number(item, "gid", &u->gid) && valid_account_id(u->uid) &&
	       valid_account_id(u->gid) &&
	       take_list(json_object_get(item, "groups"), GROUPS_MAX, take_membership, &u->groups,
			 sizeof(*u->groups), &u->group_count);
}

bool fields_take_users(const json_t *array, struct manifest *m)
{
	return take_list(array, PACKAGES_MAX, take_user, &m->users, sizeof(*m->users),
			 &m->user_count);
}

/* --- writing --- */

json_t *field_of_time(int64_t time)
{
	time_t seconds = (time_t)time;
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), TIME_FORMAT, &tm);
	return json_string(text);
}

json_t *field_of_dated(const struct manifest *m)
{
	return m->dated ? field_of_time(m->dated) : NULL;
}

json_t *field_of_words(char *const *words)
{
	json_t *array = json_array();

	for (; words && *words; words++)
		json_array_append_new(array, json_string(*words));
	return array;
}

json_t *fields_of_repositories(const struct manifest *m)
{
	json_t *repositories = json_array();

	for (size_t i = 0; i < m->repository_count; i++) {
		const struct repository *r = &m->repositories[i];

		json_array_append_new(repositories,
				      json_pack("{s:s, s:s, s:o, s:s}", "mirror", r->mirror,
						"suite", r->suite, "components",
						field_of_words(r->components), "keyring",
						r->keyring));
	}
	return repositories;
}

static json_t *field_of_package(const struct manifest_package *p)
{
	json_t *package = json_pack("{s:s, s:s, s:s, s:s, s:s}", "version", p->version, "arch",
				    p->arch, "sha256", p->sha256, "source", p->source,
				    "source_version", p->source_version);

	if (p->repository)
		json_object_set_new(package, "repository", json_integer(p->repository));
	return package;
}

json_t *fields_of_packages(const struct manifest *m)
{
	json_t *packages = json_object();

	for (size_t i = 0; i < m->package_count; i++) {
		const struct manifest_package *p = &m->packages[i];

		json_object_set_new(packages, p->name,
				    p->sha256 ? field_of_package(p) : json_string(p->version));
	}
	return packages;
}

json_t *fields_of_releases(const struct manifest *m)
{
	json_t *releases = json_array();

	for (size_t i = 0; i < m->release_count; i++) {
		const struct manifest_release *r = &m->releases[i];

		json_array_append_new(releases,
				      json_pack("{s:s, s:s, s:o, s:s}", "pocket", r->pocket,
						"mirror", r->mirror, "date", field_of_time(r->date),
						"sha256", r->sha256));
	}
	return releases;
}

json_t *fields_of_filters(const struct manifest *m)
{
	json_t *filters = json_array();

	for (size_t i = 0; i < m->filter_count; i++)
		json_array_append_new(filters,
				      json_sprintf("%c%s", m->filters[i].include ? '+' : '-',
						   m->filters[i].pattern));
	return filters;
}

json_t *fields_of_groups(const struct manifest *m)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < m->group_count; i++)
		json_array_append_new(groups, json_pack("{s:s, s:I}", "name", m->groups[i].name,
							"gid", (json_int_t)m->groups[i].gid));
	return groups;
}

json_t *fields_of_users(const struct manifest *m)
{
	json_t *users = json_array();

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
