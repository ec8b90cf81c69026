#include "frontend/archive/resolve_want.h"

#include <solv/repo.h>
#include <stdio.h>
#include <string.h>

#include "frontend/archive/package_words.h"
#include "frontend/cli/word_list.h"
#include "lib/cleanup.h"

bool resolution_has_package(Pool *pool, Id name)
{
	Id p, pp;

	FOR_PROVIDES(p, pp, name)
	if (pool->solvables[p].name == name && pool_installable(pool, pool_id2solvable(pool, p)))
		return true;
	return false;
}

bool resolution_has_provider(Pool *pool, Id name)
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

	if (id && resolution_has_package(r->pool, id))
		queue_push2(&r->job, SOLVER_INSTALL | SOLVER_SOLVABLE_NAME, id);
	else if (id && resolution_has_provider(r->pool, id))
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
	resolution_mark(&r->settled, migrates);
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

bool package_base_is_rootfs(enum package_base base)
{
	return base == BASE_INSTALLED || base == BASE_UPGRADED;
}

int resolve_want(struct resolution *r, const struct resolve_index *indexes, size_t count,
		 enum package_base base, const struct wanted *wanted, struct error **err)
{
	if (package_base_is_rootfs(base)) {
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
