#include "frontend/archive/resolve_result.h"

#include <solv/knownid.h>
#include <solv/repo.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/archive/package_paragraph.h"
#include "frontend/archive/package_words.h"
#include "frontend/cli/word_list.h"
#include "lib/cleanup.h"

static bool plain_filename(const char *name)
{
	if (!name || name[0] == '/' || name[0] == '\0' || strlen(name) > 512 ||
	    strncmp(name, "../", 3) == 0 || strstr(name, "/../"))
		return false;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f ||
		    strchr("?#\\\"%", *name))
			return false;
	return true;
}

/* The source package, which may have another name and version than the package. */
static int choose_source(const struct resolution *r, Solvable *s, struct choice *choice,
			 struct error **err)
{
	const char *source = solvable_lookup_str(s, SOLVABLE_SOURCENAME);
	const char *version = solvable_lookup_str(s, SOLVABLE_SOURCEEVR);

	source = source ? source : choice->name;
	version = version ? version : choice->version;
	if (!valid_package_name(source) || !valid_package_version(version))
		return error_set(err, ERR_TRUST,
				 "the package index of %s is malformed: it names the source "
				 "package \"%.100s\", version \"%.100s\"",
				 r->suite, source, version);
	choice->source = strdup(source);
	choice->source_version = strdup(version);
	return choice->source && choice->source_version ? 0 : error_no_memory(err);
}

int choice_take(const struct resolution *r, Id id, struct choice *choice, struct error **err)
{
	Solvable *s = pool_id2solvable(r->pool, id);
	const char *name = pool_id2str(r->pool, s->name);
	const char *version = pool_id2str(r->pool, s->evr);
	const char *arch = pool_id2str(r->pool, s->arch);
	const char *filename;
	const unsigned char *sum;
	Id type = 0;

	filename = solvable_lookup_location(s, NULL);
	if (!valid_package_name(name) || !valid_package_version(version) ||
	    !valid_archive_word(arch) || !plain_filename(filename))
		return error_set(err, ERR_TRUST,
				 "the package index of %s is malformed: it names the package "
				 "\"%.100s\", version \"%.100s\", file \"%.100s\"",
				 r->suite, name, version, filename ? filename : "");
	sum = solvable_lookup_bin_checksum(s, SOLVABLE_CHECKSUM, &type);
	if (!sum || type != REPOKEY_TYPE_SHA256)
		return error_set(err, ERR_TRUST, "the package index of %s has no SHA-256 for %s",
				 r->suite, name);
	memcpy(choice->sha256, sum, SHA256_LEN);
	if (r->loaded[s->repo->repoid - 1].sound)
		choice->size = solvable_lookup_num(s, SOLVABLE_DOWNLOADSIZE, 0);
	choice->index = (size_t)s->repo->repoid - 1;
	choice->id = id;
	choice->name = strdup(name);
	choice->version = strdup(version);
	choice->arch = strdup(arch);
	choice->filename = strdup(filename);
	if (!choice->name || !choice->version || !choice->arch || !choice->filename)
		return error_errno(err, ERR_SYSTEM, "cannot choose packages of %s", r->suite);
	return choose_source(r, s, choice, err);
}

/* An installed package that was not chosen again, and that no newer one replaces. */
static int collect_removed(const struct resolution *r, struct choices *out, struct error **err)
{
	const Repo *repo = r->pool->installed;
	size_t count = 0;

	for (Id id = repo ? repo->start : 0; repo && id < repo->end; id++) {
		const Solvable *s = pool_id2solvable(r->pool, id);
		struct choice key = { .name = (char *)(uintptr_t)pool_id2str(r->pool, s->name) };

		if (s->repo != repo || MAPTST(&r->chosen, id) ||
		    (out->count &&
		     bsearch(&key, out->list, out->count, sizeof(key), choice_by_name)))
			continue;
		if (words_add(&out->removed, &count, key.name) < 0)
			return error_no_memory(err);
	}
	return 0;
}

int choices_collect(struct resolution *r, struct choices *out, struct error **err)
{
	Queue decisions;
	int result = 0;

	queue_init(&decisions);
	solver_get_decisionqueue(r->solver, &decisions);
	map_empty(&r->chosen);
	out->list = calloc((size_t)decisions.count + 1, sizeof(*out->list));
	for (int i = 0; out->list && result == 0 && i < decisions.count; i++) {
		Id id = decisions.elements[i];

		if (id <= SYSTEMSOLVABLE)
			continue;
		resolution_mark(&r->chosen, id);
		if (r->pool->solvables[id].repo != r->pool->installed)
			result = choice_take(r, id, &out->list[out->count++], err);
	}
	queue_free(&decisions);
	if (!out->list)
		return error_errno(err, ERR_SYSTEM, "cannot choose packages of %s", r->suite);
	if (result == 0 && out->count > PACKAGES_MAX)
		result = error_set(err, ERR_INPUT,
				   "%zu packages are too many: a rootfs can have %d; remove some "
				   "from the profile or from --include",
				   out->count, PACKAGES_MAX);
	if (result == 0)
		qsort(out->list, out->count, sizeof(*out->list), choice_by_name);
	return result == 0 ? collect_removed(r, out, err) : result;
}

/* The choices from one index. */
struct sizing {
	struct choices *choices;
	size_t index;
};

static void take_size(const struct paragraph *paragraph, void *context)
{
	const struct sizing *sizing = context;
	struct choice key = { .name = (char *)(uintptr_t)paragraph->name }, *choice;
	char *version;

	choice = bsearch(&key, sizing->choices->list, sizing->choices->count, sizeof(key),
			 choice_by_name);
	if (!choice || choice->index != sizing->index || !paragraph->hashed ||
	    memcmp(choice->sha256, paragraph->sha256, SHA256_LEN) != 0)
		return;
	choice->size = paragraph->size;
	if (valid_package_version(paragraph->source_version) &&
	    (version = strdup(paragraph->source_version))) {
		free(choice->source_version);
		choice->source_version = version;
	}
}

int choices_take_sizes(const struct resolution *r, const struct resolve_index *indexes,
		       const char *suite, struct choices *choices, struct error **err)
{
	for (size_t i = 0; i < r->loaded_count; i++) {
		struct sizing sizing = { .choices = choices, .index = i };

		if (!r->loaded[i].sound &&
		    paragraph_each(indexes[i].packages, take_size, &sizing, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < choices->count; i++)
		if (!choices->list[i].size)
			return error_set(err, ERR_TRUST,
					 "the package index of %s has no size for %s", suite,
					 choices->list[i].name);
	return 0;
}
