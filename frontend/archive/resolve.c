#include "frontend/archive/resolve.h"

#include <solv/knownid.h>
#include <solv/pool.h>
#include <solv/repo.h>
#include <solv/repo_deb.h>
#include <solv/solver.h>
#include <string.h>
#include <strings.h>

#include "frontend/archive/package_words.h"
#include "frontend/archive/resolve_cache.h"
#include "frontend/archive/resolve_installed.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "lib/hex_read.h"

/* libsolv's MAPSET, with a cast: with sanitizers gcc warns about its narrowing conversion. */
static void mark(Map *map, Id id)
{
	map->map[id >> 3] = (unsigned char)(map->map[id >> 3] | 1 << (id & 7));
}

#define PROBLEMS_SHOWN 3
#define ROUNDS_MAX 6
#define DEB_SIZE_MAX ((uint64_t)16 << 30)

/* Data of an index that libsolv does not store. */
struct loaded {
	char *base; /* names of required and essential packages */
	bool sound; /* the repository has all sizes */
};

struct resolution {
	Pool *pool;
	struct loaded *loaded;
	size_t loaded_count;
	Solver *solver;
	Queue job;
	Map settled; /* names that have a preference in JOB */
	Map chosen;  /* packages, with those that stay installed */
	char **left_out;
	size_t left_out_count;
	const char *suite;
	bool removing;
};

static void resolution_clear(struct resolution *r)
{
	if (r->solver)
		solver_free(r->solver);
	queue_free(&r->job);
	map_free(&r->settled);
	map_free(&r->chosen);
	if (r->pool)
		pool_free(r->pool);
	for (size_t i = 0; i < r->loaded_count; i++)
		free(r->loaded[i].base);
	free(r->loaded);
	words_free(r->left_out);
}

/* The value of field NAME if LINE has it, or NULL. Cuts LINE after the value. */
static char *field_value(char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncasecmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	line += length + 1;
	line += strspn(line, " \t");
	line[strcspn(line, " \t\r\n")] = '\0';
	return line;
}

/* The fields of a Packages paragraph that libsolv drops. */
struct paragraph {
	char name[PACKAGE_NAME_MAX + 1];
	uint8_t sha256[SHA256_LEN];
	uint64_t size; /* 0: missing or malformed */
	bool hashed, base;
	char source_version[VERSION_MAX + 1]; /* "": the package's own */
};

/* "Source: glibc (2.36-9)"; libsolv stores the name. Without a version it is the package's. */
static void paragraph_source(struct paragraph *p, const char *line)
{
	const char *version = strchr(line, '(');
	size_t length = version ? strcspn(version + 1, " )\r\n") : 0;

	if (length && length < sizeof(p->source_version))
		memcpy(p->source_version, version + 1, length);
}

static void paragraph_line(struct paragraph *p, char *line)
{
	static const char source[] = "Source:";
	char *value, *end;

	if (strncasecmp(line, source, sizeof(source) - 1) == 0) {
		paragraph_source(p, line);
	} else if ((value = field_value(line, "Package"))) {
		snprintf(p->name, sizeof(p->name), "%s", value);
	} else if ((value = field_value(line, "Essential"))) {
		p->base = p->base || strcasecmp(value, "yes") == 0;
	} else if ((value = field_value(line, "Priority"))) {
		p->base = p->base || strcasecmp(value, "required") == 0;
	} else if ((value = field_value(line, "SHA256"))) {
		p->hashed = sha256_from_hex(value, strlen(value), p->sha256);
	} else if ((value = field_value(line, "Size"))) {
		errno = 0;
		p->size = strtoull(value, &end, 10);
		if (errno || *end || value[0] == '-' || p->size > DEB_SIZE_MAX)
			p->size = 0;
	}
}

/* Calls VISIT for each paragraph of the Packages file PATH. */
static int each_paragraph(const char *path,
			  void (*visit)(const struct paragraph *paragraph, void *context),
			  void *context, struct error **err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	struct paragraph paragraph = { 0 };
	size_t size = 0;

	if (!file)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	while (getline(&line, &size, file) >= 0) {
		if (line[strspn(line, " \t\r\n")] != '\0') {
			paragraph_line(&paragraph, line);
			continue;
		}
		visit(&paragraph, context);
		paragraph = (struct paragraph){ 0 };
	}
	if (ferror(file))
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	visit(&paragraph, context);
	return 0;
}

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
	r = each_paragraph(path, survey_paragraph, &s, err);
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

/* The code relies on libsolv numbering its repositories from 1, in the order of the indexes. */
static int resolve_load(struct resolution *r, const struct resolve_index *indexes, size_t count,
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

static bool installable_named(Pool *pool, Id name)
{
	Id p, pp;

	FOR_PROVIDES(p, pp, name)
	if (pool->solvables[p].name == name && pool_installable(pool, pool_id2solvable(pool, p)))
		return true;
	return false;
}

static bool provided(Pool *pool, Id name)
{
	Id p, pp;

	FOR_PROVIDES(p, pp, name)
	if (pool_installable(pool, pool_id2solvable(pool, p)))
		return true;
	return false;
}

/* Wants a package by name, or else one that provides the name. False if the indexes have neither.
 */
static bool want(struct resolution *r, const char *name)
{
	Id id = pool_str2id(r->pool, name, 0);

	if (id && installable_named(r->pool, id))
		queue_push2(&r->job, SOLVER_INSTALL | SOLVER_SOLVABLE_NAME, id);
	else if (id && provided(r->pool, id))
		queue_push2(&r->job, SOLVER_INSTALL | SOLVER_SOLVABLE_PROVIDES, id);
	else
		return false;
	return true;
}

static void want_base(struct resolution *r, char *names)
{
	char *name;

	while ((name = strsep(&names, "\n")))
		if (*name)
			want(r, name);
}

/* Trees are created with a merged /usr. Of the two packages that promise one, the empty one is
 * enough; usrmerge brings a script and all of perl. debootstrap does the same. */
static void prefer_merged_usr(struct resolution *r)
{
	Id migrates = pool_str2id(r->pool, "usrmerge", 0);

	if (!migrates)
		return;
	queue_push2(&r->job, SOLVER_DISFAVOR | SOLVER_SOLVABLE_NAME, migrates);
	mark(&r->settled, migrates);
}

/* Wants these very packages, whatever other indexes have. NUMBER is the repository's. */
static void want_index(struct resolution *r, Id number)
{
	const Repo *repo = pool_id2repo(r->pool, number);

	for (Id id = repo->start; id < repo->end; id++)
		if (r->pool->solvables[id].repo == repo)
			queue_push2(&r->job, SOLVER_INSTALL | SOLVER_SOLVABLE, id);
}

/* Wants the first available package of "a|b". */
static bool want_first(struct resolution *r, const char *names)
{
	char name[PACKAGE_NAME_MAX + 1];

	for (;; names++) {
		size_t length = strcspn(names, "|");

		snprintf(name, sizeof(name), "%.*s", (int)length, names);
		if (want(r, name))
			return true;
		names += length;
		if (!*names)
			return false;
	}
}

static int check_choice(const char *names, struct error **err)
{
	if (valid_package_choice(names))
		return 0;
	return error_set(err, ERR_INPUT,
			 "\"%.80s\" is not a package name: only a-z, 0-9 and . + - are allowed",
			 names);
}

static int want_optional(struct resolution *r, const char *const *optional, struct error **err)
{
	for (size_t i = 0; optional && optional[i]; i++) {
		if (check_choice(optional[i], err) < 0)
			return -1;
		if (!want_first(r, optional[i]) &&
		    words_add(&r->left_out, &r->left_out_count, optional[i]) < 0)
			return error_no_memory(err);
	}
	return 0;
}

/* Reports all missing packages in one message. */
static int want_named(struct resolution *r, const char *const *wanted, struct error **err)
{
	_cleanup_free_ char *missing = NULL;

	for (size_t i = 0; wanted && wanted[i]; i++) {
		char *longer = NULL;

		if (check_choice(wanted[i], err) < 0)
			return -1;
		if (want_first(r, wanted[i]))
			continue;
		if (asprintf(&longer, "%s%s%s", missing ? missing : "", missing ? ", " : "",
			     wanted[i]) < 0)
			return error_no_memory(err);
		free(missing);
		missing = longer;
	}
	if (missing)
		return error_set(err, ERR_INPUT,
				 "no package %s in %s: none of the chosen components has it; leave "
				 "it out, or add components with --components",
				 missing, r->suite);
	return 0;
}

/* The installed package of the first name in "a|b" that has one; 0: none. */
static Id resolve_find_installed(const struct resolution *r, const char *names)
{
	char name[PACKAGE_NAME_MAX + 1];

	for (;; names++) {
		size_t length = strcspn(names, "|");
		Id id;

		snprintf(name, sizeof(name), "%.*s", (int)length, names);
		id = pool_str2id(r->pool, name, 0);
		for (Id p = r->pool->installed->start; id && p < r->pool->installed->end; p++)
			if (r->pool->solvables[p].repo == r->pool->installed &&
			    r->pool->solvables[p].name == id)
				return p;
		names += length;
		if (!*names)
			return 0;
	}
}

static bool resolve_is_base(const struct resolution *r, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < r->loaded_count; i++) {
		const char *at = r->loaded[i].base;

		for (; at && *at; at += strcspn(at, "\n") + (strchr(at, '\n') != NULL))
			if (strncmp(at, name, length) == 0 && at[length] == '\n')
				return true;
	}
	return strcmp(name, "apt") == 0;
}

static int want_removed(struct resolution *r, const char *const *removed, struct error **err)
{
	r->removing = removed && *removed;
	for (; removed && *removed; removed++) {
		Id id = valid_package_name(*removed) ? resolve_find_installed(r, *removed) : 0;

		if (!id)
			return error_set(err, ERR_INPUT, "package %.100s is not installed",
					 *removed);
		if (resolve_is_base(r, *removed))
			return error_set(err, ERR_INPUT, "cannot remove %s: every rootfs needs it",
					 *removed);
		queue_push2(&r->job, SOLVER_ERASE | SOLVER_SOLVABLE | SOLVER_CLEANDEPS, id);
	}
	return 0;
}

/* Otherwise libsolv would take them for dependencies, and remove them with the last package that
 * needed them. */
static void want_kept(struct resolution *r, const char *const *kept)
{
	const Repo *repo = r->pool->installed;
	Id id;

	for (; kept && *kept; kept++)
		if (valid_package_choice(*kept) && (id = resolve_find_installed(r, *kept)))
			queue_push2(&r->job, SOLVER_USERINSTALLED | SOLVER_SOLVABLE, id);
	for (id = repo->start; id < repo->end; id++)
		if (r->pool->solvables[id].repo == repo &&
		    resolve_is_base(r, pool_id2str(r->pool, r->pool->solvables[id].name)))
			queue_push2(&r->job, SOLVER_USERINSTALLED | SOLVER_SOLVABLE, id);
}

static bool is_of_rootfs(enum package_base base)
{
	return base == BASE_INSTALLED || base == BASE_UPGRADED;
}

static int want_all(struct resolution *r, const struct resolve_index *indexes, size_t count,
		    enum package_base base, const struct wanted *wanted, struct error **err)
{
	if (is_of_rootfs(base)) {
		if (want_removed(r, wanted->removed, err) < 0)
			return -1;
		want_kept(r, wanted->kept);
	}
	if (base == BASE_UPGRADED)
		queue_push2(&r->job, SOLVER_UPDATE | SOLVER_SOLVABLE_ALL, 0);
	if (base == BASE_MINIMAL) {
		for (size_t i = 0; i < count; i++)
			if (indexes[i].base)
				want_base(r, r->loaded[i].base);
		if (!want(r, "apt"))
			return error_set(err, ERR_INPUT,
					 "%s has no package apt, which every rootfs needs; check "
					 "--release, --arch and --components",
					 r->suite);
		prefer_merged_usr(r);
	}
	for (size_t i = 0; i < count; i++)
		if (indexes[i].local)
			want_index(r, (Id)i + 1);
	if (want_optional(r, wanted->optional, err) < 0)
		return -1;
	return want_named(r, wanted->packages, err);
}

/* "nothing provides libx needed by y-1.amd64; …" */
static int unsolvable(const struct resolution *r, int count, struct error **err)
{
	_cleanup_free_ char *all = NULL;

	for (Id problem = 1; problem <= count && problem <= PROBLEMS_SHOWN; problem++) {
		Id source, target, dependency, rule = solver_findproblemrule(r->solver, problem);
		SolverRuleinfo type =
			solver_ruleinfo(r->solver, rule, &source, &target, &dependency);
		const char *why =
			solver_problemruleinfo2str(r->solver, type, source, target, dependency);
		char *longer = NULL;

		if (asprintf(&longer, "%s%s%.300s", all ? all : "", all ? "; " : "", why) < 0)
			break;
		free(all);
		all = longer;
	}
	return error_set(err, ERR_INPUT, "cannot choose packages of %s: %s; %s", r->suite,
			 all ? text_clean(all) : "they conflict with each other",
			 r->removing ? "uninstall the package that needs it as well"
				     : "leave out the package that needs it, or add components "
				       "with --components");
}

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

static int resolve_choose(const struct resolution *r, Id id, struct choice *choice,
			  struct error **err)
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

static int resolve_by_name(const void *a, const void *b)
{
	return strcmp(((const struct choice *)a)->name, ((const struct choice *)b)->name);
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
		     bsearch(&key, out->list, out->count, sizeof(key), resolve_by_name)))
			continue;
		if (words_add(&out->removed, &count, key.name) < 0)
			return error_no_memory(err);
	}
	return 0;
}

/* Marks all packages that the result has in R->chosen. Those that are installed already are not
 * listed. */
static int collect(struct resolution *r, struct choices *out, struct error **err)
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
		mark(&r->chosen, id);
		if (r->pool->solvables[id].repo != r->pool->installed)
			result = resolve_choose(r, id, &out->list[out->count++], err);
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
		qsort(out->list, out->count, sizeof(*out->list), resolve_by_name);
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
			 resolve_by_name);
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

static int take_sizes(const struct resolution *r, const struct resolve_index *indexes,
		      const char *suite, struct choices *choices, struct error **err)
{
	for (size_t i = 0; i < r->loaded_count; i++) {
		struct sizing sizing = { .choices = choices, .index = i };

		if (!r->loaded[i].sound &&
		    each_paragraph(indexes[i].packages, take_size, &sizing, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < choices->count; i++)
		if (!choices->list[i].size)
			return error_set(err, ERR_TRUST,
					 "the package index of %s has no size for %s", suite,
					 choices->list[i].name);
	return 0;
}

static Id resolve_name_of(Pool *pool, Id dependency)
{
	while (ISRELDEP(dependency))
		dependency = GETRELDEP(pool, dependency)->name;
	return dependency;
}

/* For "a | b", prefers a if it is available, unless a chosen package already satisfies a. Returns
 * whether this adds a preference. */
static bool favour_first(struct resolution *r, Id dependency)
{
	Pool *pool = r->pool;
	Id p, pp, name;

	while (ISRELDEP(dependency) && GETRELDEP(pool, dependency)->flags == REL_OR)
		dependency = GETRELDEP(pool, dependency)->name;
	name = resolve_name_of(pool, dependency);
	if (MAPTST(&r->settled, name) || !provided(pool, dependency))
		return false;
	FOR_PROVIDES(p, pp, dependency)
	if (MAPTST(&r->chosen, p))
		return false;
	mark(&r->settled, name);
	if (installable_named(pool, name))
		queue_push2(&r->job, SOLVER_FAVOR | SOLVER_SOLVABLE_NAME, name);
	else
		queue_push2(&r->job, SOLVER_FAVOR | SOLVER_SOLVABLE_PROVIDES, dependency);
	return true;
}

/* If a chosen package only provides the name in DEPENDENCY, asks for the package of that name;
 * weakly, so that it is left out if it cannot be installed. Returns whether this adds a
 * preference. */
static bool want_bearer(struct resolution *r, Id dependency)
{
	Pool *pool = r->pool;
	Id name = resolve_name_of(pool, dependency), p, pp;
	bool there = false;

	if (MAPTST(&r->settled, name))
		return false;
	FOR_PROVIDES(p, pp, dependency)
	{
		if (pool->solvables[p].name != name)
			continue;
		if (MAPTST(&r->chosen, p))
			return false;
		there = there || pool_installable(pool, pool_id2solvable(pool, p));
	}
	if (!there)
		return false;
	mark(&r->settled, name);
	queue_push2(&r->job, SOLVER_INSTALL | SOLVER_WEAK | SOLVER_SOLVABLE_NAME, name);
	return true;
}

/* To libsolv, all packages that satisfy a dependency are equally good. Debian Policy 7.1 prefers
 * the first alternative. debootstrap looks only at names: it needs the package of that name
 * (libsystemd0, not libelogind0), and fails without it even if another package provides it. Returns
 * whether to solve again. */
static bool prefer_all(struct resolution *r, const struct choices *choices)
{
	bool again = false;

	for (size_t i = 0; i < choices->count; i++) {
		const Solvable *s = pool_id2solvable(r->pool, choices->list[i].id);
		const Id *at = s->requires ? s->repo->idarraydata + s->requires : NULL;

		for (; at && *at; at++)
			if (ISRELDEP(*at) && GETRELDEP(r->pool, *at)->flags == REL_OR)
				again |= favour_first(r, *at);
			else
				again |= want_bearer(r, *at);
	}
	return again;
}

static int solve(struct resolution *r, struct choices *out, struct error **err)
{
	int problems;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		choices_clear(out);
		if (r->solver)
			solver_free(r->solver);
		r->solver = solver_create(r->pool);
		solver_set_flag(r->solver, SOLVER_FLAG_IGNORE_RECOMMENDED, 1);
		problems = solver_solve(r->solver, &r->job);
		if (problems)
			return unsolvable(r, problems, err);
		if (collect(r, out, err) < 0)
			return -1;
		if (!prefer_all(r, out))
			break;
	}
	return 0;
}

/* --- exact versions --- */

/* The versions of a package that the indexes have, for a message. */
struct versions {
	char text[200];
	size_t used;
};

static void versions_add(struct versions *v, const char *version)
{
	size_t room = sizeof(v->text) - v->used;
	int n = snprintf(v->text + v->used, room, "%s%s", v->used ? ", " : "", version);

	v->used += n > 0 && (size_t)n < room ? (size_t)n : 0;
	v->text[v->used] = '\0';
}

/* The first package of this NAME and VERSION in the order of the indexes, or 0. */
static Id find_exact(const struct resolution *r, const char *name, const char *version,
		     struct versions *others)
{
	Pool *pool = r->pool;
	Id id = pool_str2id(pool, name, 0), p, pp, found = 0;

	if (!id)
		return 0;
	FOR_PROVIDES(p, pp, id)
	{
		Solvable *s = pool_id2solvable(pool, p);

		if (s->name != id || !pool_installable(pool, s))
			continue;
		if (strcmp(pool_id2str(pool, s->evr), version) != 0)
			versions_add(others, pool_id2str(pool, s->evr));
		else if (!found || p < found)
			found = p;
	}
	return found;
}

/* Splits "name=version"; false if it is malformed. */
static bool split_exact(const char *word, char name[static PACKAGE_NAME_MAX + 1],
			const char **version)
{
	size_t length = strcspn(word, "=");

	if (!word[length] || length > PACKAGE_NAME_MAX)
		return false;
	memcpy(name, word, length);
	name[length] = '\0';
	*version = word + length + 1;
	return valid_package_name(name) && valid_package_version(*version);
}

/* The packages that are unavailable, for a message. */
struct unavailable {
	char *text;
	size_t count;
};

static void unavailable_clear(struct unavailable *u)
{
	free(u->text);
}

static int unavailable_add(struct unavailable *u, const char *name, const char *version,
			   const struct versions *others)
{
	char *longer = NULL;

	if (u->count++ >= PROBLEMS_SHOWN)
		return 0;
	if (asprintf(&longer, "%s%s%s %s (the mirror has %s)", u->text ? u->text : "",
		     u->text ? ", " : "", name, version, others->used ? others->text : "none") < 0)
		return -1;
	free(u->text);
	u->text = longer;
	return 0;
}

static int refuse_unavailable(const struct resolution *r, const struct unavailable *u,
			      struct error **err)
{
	char more[40] = "";

	if (u->count > PROBLEMS_SHOWN)
		snprintf(more, sizeof(more), " and %zu more", u->count - PROBLEMS_SHOWN);
	return error_set(err, ERR_NETWORK,
			 "unavailable in %s: %s%s; pass a mirror that still has them, such as a "
			 "dated copy of the archive, with --mirror",
			 r->suite, u->text, more);
}

/* Chooses without solving: a set that was solved once needs no other packages. */
static int take_exact(const struct resolution *r, const char *const *wanted, struct choices *out,
		      struct error **err)
{
	_cleanup_(unavailable_clear) struct unavailable missing = { 0 };
	char name[PACKAGE_NAME_MAX + 1];
	const char *version;
	size_t count = 0;

	while (wanted && wanted[count])
		count++;
	out->list = calloc(count + 1, sizeof(*out->list));
	if (!out->list)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct versions others = { 0 };
		Id id;

		if (!split_exact(wanted[i], name, &version))
			return error_set(err, ERR_INPUT,
					 "\"%.120s\" is not a package and its version", wanted[i]);
		id = find_exact(r, name, version, &others);
		if (!id && unavailable_add(&missing, name, version, &others) < 0)
			return error_no_memory(err);
		if (id && resolve_choose(r, id, &out->list[out->count++], err) < 0)
			return -1;
	}
	if (missing.count)
		return refuse_unavailable(r, &missing, err);
	qsort(out->list, out->count, sizeof(*out->list), resolve_by_name);
	return 0;
}

static int resolve_choose_all(struct resolution *r, const struct resolve_index *indexes,
			      size_t count, enum package_base base, const struct wanted *wanted,
			      struct choices *out, struct error **err)
{
	if (base == BASE_EXACT)
		return take_exact(r, wanted->packages, out, err);
	map_init(&r->settled, r->pool->ss.nstrings);
	map_init(&r->chosen, r->pool->nsolvables);
	if (want_all(r, indexes, count, base, wanted, err) < 0)
		return -1;
	return solve(r, out, err);
}

int resolve(const struct resolve_index *indexes, size_t index_count, const char *suite,
	    const char *arch, enum package_base base, const struct wanted *wanted,
	    struct choices *out, struct error **err)
{
	_cleanup_(resolution_clear) struct resolution r = { .suite = suite };

	queue_init(&r.job);
	*out = (struct choices){ 0 };
	r.pool = pool_create();
	if (pool_setdisttype(r.pool, DISTTYPE_DEB) < 0)
		return error_set(
			err, ERR_HOST,
			"cannot choose packages: libsolv was built without Debian support; "
			"run: apt install --reinstall libsolv1 libsolvext1");
	pool_setarch(r.pool, arch);
	if (resolve_load(&r, indexes, index_count, err) < 0 ||
	    (is_of_rootfs(base) && installed_load(r.pool, wanted->installed, &r.job, err) < 0))
		return -1;
	pool_createwhatprovides(r.pool);
	if (resolve_choose_all(&r, indexes, index_count, base, wanted, out, err) < 0 ||
	    take_sizes(&r, indexes, suite, out, err) < 0) {
		choices_clear(out);
		return -1;
	}
	out->left_out = STEAL_PTR(r.left_out);
	return 0;
}

void choices_clear(struct choices *choices)
{
	for (size_t i = 0; i < choices->count; i++) {
		free(choices->list[i].name);
		free(choices->list[i].version);
		free(choices->list[i].arch);
		free(choices->list[i].filename);
		free(choices->list[i].source);
		free(choices->list[i].source_version);
	}
	free(choices->list);
	words_free(choices->left_out);
	words_free(choices->removed);
	*choices = (struct choices){ 0 };
}
