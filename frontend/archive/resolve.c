#include "frontend/archive/resolve.h"

#include <solv/repo.h>
#include <string.h>

#include "frontend/archive/resolve_exact.h"
#include "frontend/archive/resolve_installed.h"
#include "frontend/archive/resolve_load.h"
#include "frontend/archive/resolve_result.h"
#include "frontend/archive/resolve_want.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"

#define ROUNDS_MAX 6

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
	if (MAPTST(&r->settled, name) || !resolution_has_provider(pool, dependency))
		return false;
	FOR_PROVIDES(p, pp, dependency)
	if (MAPTST(&r->chosen, p))
		return false;
	resolution_mark(&r->settled, name);
	if (resolution_has_package(pool, name))
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
	resolution_mark(&r->settled, name);
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
		if (choices_collect(r, out, err) < 0)
			return -1;
		if (!prefer_all(r, out))
			break;
	}
	return 0;
}

static int resolve_choose_all(struct resolution *r, const struct resolve_index *indexes,
			      size_t count, enum package_base base, const struct wanted *wanted,
			      struct choices *out, struct error **err)
{
	if (base == BASE_EXACT)
		return resolve_exact(r, wanted->packages, out, err);
	map_init(&r->settled, r->pool->ss.nstrings);
	map_init(&r->chosen, r->pool->nsolvables);
	if (resolve_want(r, indexes, count, base, wanted, err) < 0)
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
	    (package_base_is_rootfs(base) &&
	     installed_load(r.pool, wanted->installed, &r.job, err) < 0))
		return -1;
	pool_createwhatprovides(r.pool);
	if (resolve_choose_all(&r, indexes, index_count, base, wanted, out, err) < 0 ||
	    choices_take_sizes(&r, indexes, suite, out, err) < 0) {
		choices_clear(out);
		return -1;
	}
	out->left_out = STEAL_PTR(r.left_out);
	return 0;
}
