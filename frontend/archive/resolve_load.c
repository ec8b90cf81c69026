#include "frontend/archive/resolve_load.h"

#include <solv/knownid.h>
#include <solv/repo.h>
#include <solv/repo_deb.h>
#include <string.h>

#include "frontend/archive/package_paragraph.h"
#include "frontend/archive/package_words.h"
#include "frontend/archive/resolve_cache.h"
#include "lib/cleanup.h"

/* Collects what libsolv drops from an index: sizes, versions of sources, and the names of required
 * and essential packages, one per line. */
struct resolve_survey {
	FILE *base;
	Repo *repo;
	Repodata *sizes;
	Id next;    /* packages have the order of their paragraphs */
	bool sound; /* each package so far has its size */
};

static bool is_of(const struct paragraph *paragraph, Solvable *s)
{
	Id type = 0;
	const unsigned char *sum = solvable_lookup_bin_checksum(s, SOLVABLE_CHECKSUM, &type);

	return paragraph->hashed && paragraph->size && sum && type == REPOKEY_TYPE_SHA256 &&
	       memcmp(sum, paragraph->sha256, SHA256_LEN) == 0 &&
	       strcmp(pool_id2str(s->repo->pool, s->name), paragraph->name) == 0;
}

static void survey_paragraph(const struct paragraph *paragraph, void *context)
{
	struct resolve_survey *s = context;
	Pool *pool = s->repo->pool;

	if (!paragraph->name[0])
		return;
	if (paragraph->base && valid_package_name(paragraph->name))
		fprintf(s->base, "%s\n", paragraph->name);
	s->sound = s->sound && s->next < s->repo->end && pool->solvables[s->next].repo == s->repo &&
		   is_of(paragraph, pool_id2solvable(pool, s->next));
	if (!s->sound)
		return;
	repodata_set_num(s->sizes, s->next, SOLVABLE_DOWNLOADSIZE, paragraph->size);
	if (*paragraph->source_version)
		repodata_set_poolstr(s->sizes, s->next, SOLVABLE_SOURCEEVR,
				     paragraph->source_version);
	s->next++;
}

static int resolve_survey(const char *path, Repo *repo, struct loaded *l, struct error **err)
{
	size_t size;
	struct resolve_survey s = {
		.base = open_memstream(&l->base, &size),
		.repo = repo,
		.sizes = repo_add_repodata(repo, 0),
		.next = repo->start,
		.sound = true,
	};
	int r;

	if (!s.base)
		return error_no_memory(err);
	r = paragraph_each(path, survey_paragraph, &s, err);
	repodata_internalize(s.sizes);
	l->sound = s.sound && s.next == repo->end;
	return fclose(s.base) == 0 ? r : error_no_memory(err);
}

static int load_text(struct resolution *r, const struct resolve_index *index, Repo *repo,
		     struct loaded *l, struct error **err)
{
	_cleanup_fclose_ FILE *file = fopen(index->packages, "re");

	if (!file)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", index->packages);
	if (repo_add_debpackages(repo, file, 0) != 0 || ferror(file))
		return error_set(err, ERR_TRUST,
				 "cannot read the package index %s of %s: it is malformed",
				 index->packages, r->suite);
	if (resolve_survey(index->packages, repo, l, err) < 0)
		return -1;
	if (l->sound && index->kept)
		resolve_cache_save(index->kept, index->sha256, repo, l->base);
	return 0;
}

int resolve_load(struct resolution *r, const struct resolve_index *indexes, size_t count,
		 struct error **err)
{
	r->loaded = calloc(count + 1, sizeof(*r->loaded));
	if (!r->loaded)
		return error_no_memory(err);
	r->loaded_count = count;
	for (size_t i = 0; i < count; i++) {
		struct loaded *l = &r->loaded[i];
		Repo *repo;
		char name[24];

		snprintf(name, sizeof(name), "%zu", i);
		repo = repo_create(r->pool, name);
		l->sound = indexes[i].kept &&
			   resolve_cache_load(indexes[i].kept, indexes[i].sha256, repo, &l->base);
		if (!l->sound && load_text(r, &indexes[i], repo, l, err) < 0)
			return -1;
		if ((size_t)repo->repoid != i + 1)
			return error_set(err, ERR_SYSTEM, "cannot read the package index %s",
					 indexes[i].packages);
	}
	return 0;
}
