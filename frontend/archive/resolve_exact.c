#include "frontend/archive/resolve_exact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/archive/package_words.h"
#include "frontend/archive/resolve_result.h"
#include "lib/cleanup.h"

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

int resolve_exact(const struct resolution *r, const char *const *wanted, struct choices *out,
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
		if (id && choice_take(r, id, &out->list[out->count++], err) < 0)
			return -1;
	}
	if (missing.count)
		return refuse_unavailable(r, &missing, err);
	qsort(out->list, out->count, sizeof(*out->list), choice_by_name);
	return 0;
}
