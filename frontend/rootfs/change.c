#include "frontend/rootfs/change.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/follow.h"
#include "frontend/rootfs/freshness.h"
#include "frontend/rootfs/manifest_change.h"
#include "frontend/rootfs/profile_load.h"
#include "frontend/rootfs/provision.h"
#include "frontend/rootfs/published.h"
#include "frontend/rootfs/store.h"
#include "lib/error_wrap.h"

#define POCKETS_SECURITY (1u << 0 | 1u << 2) /* of fetch_pockets */

/* Lists for packages_choose(), which own their words. */
struct change_words {
	char **packages, **optional, **kept;
	size_t package_count, optional_count, kept_count;
};

static void change_words_free(struct change_words *w)
{
	words_free(w->packages);
	words_free(w->optional);
	words_free(w->kept);
}

static int add_words(char ***list, size_t *count, char *const *words, struct error **err)
{
	for (; words && *words; words++)
		if (words_add(list, count, *words) < 0)
			return error_no_memory(err);
	return 0;
}

/* What is requested of the rootfs already; in older formats of the manifest, all that it has. */
static int add_requested(const struct manifest *m, struct change_words *w, struct error **err)
{
	if (m->engine)
		return add_words(&w->kept, &w->kept_count, m->requested, err) < 0
			       ? -1
			       : add_words(&w->kept, &w->kept_count, m->optional, err);
	for (size_t i = 0; i < m->package_count; i++)
		if (words_add(&w->kept, &w->kept_count, m->packages[i].name) < 0)
			return error_no_memory(err);
	return 0;
}

/* What the profile wants now. Without it, the rootfs gets nothing new. */
static int add_profile(struct package_change *c, struct change_words *w, struct error **err)
{
	_cleanup_(profile_free) struct profile *profile = NULL;
	_cleanup_error_ struct error *why = NULL;

	if (profile_load(c->manifest->profile, &profile, &why) < 0 ||
	    profile_choose_release(profile, c->manifest->suite, &why) < 0) {
		c->profile_lost = strdup(error_text(why));
		return c->profile_lost ? 0 : error_no_memory(err);
	}
	return add_words(&w->packages, &w->package_count, profile->packages, err) < 0
		       ? -1
		       : add_words(&w->optional, &w->optional_count, profile->optional, err);
}

static int change_collect(struct package_change *c, struct change_words *w, struct error **err)
{
	const struct change_request *r = c->request;
	char *const *packages = (char *const *)(uintptr_t)r->packages;

	if (add_words(&w->packages, &w->package_count, packages, err) < 0 ||
	    add_requested(c->manifest, w, err) < 0)
		return -1;
	return r->profile ? add_profile(c, w, err) : 0;
}

/* The status file as a descriptor for the fetch process, which is the one that parses it. */
static int change_read_status(struct package_change *c, int rootfs, struct error **err)
{
	int fd = view_copy(c->helper, rootfs, "dpkg-status", err);

	return fd < 0 ? error_wrap(err, "cannot read the list of installed packages") : fd;
}

static int change_choose(struct package_change *c, int status, struct error **err)
{
	_cleanup_(change_words_free) struct change_words w = { 0 };
	struct wanted wanted = {
		.removed = c->request->removed,
		.debs = c->request->debs,
		.installed = status,
	};

	if (change_collect(c, &w, err) < 0)
		return -1;
	wanted.packages = (const char *const *)w.packages;
	wanted.optional = (const char *const *)w.optional;
	wanted.kept = (const char *const *)w.kept;
	wanted.pockets = c->request->security ? POCKETS_SECURITY : 0;
	c->wanted = STEAL_PTR(w.packages);
	c->optional = STEAL_PTR(w.optional);
	return packages_choose(c->fetch, c->request->base, &wanted, err);
}

/* Those of the rootfs, and then those of the request. An entry of the request replaces the one with
 * the same URL and suite, because packages refer to their repository by its place. LIST borrows. */
static int combine_repositories(const struct package_change *c,
				struct repository list[static REPOSITORIES_MAX], size_t *count,
				struct error **err)
{
	const struct source *asked = &c->request->source;

	*count = 0;
	for (size_t i = 0; i < c->manifest->repository_count; i++)
		list[(*count)++] = c->manifest->repositories[i];
	for (size_t i = 0; i < asked->repository_count; i++) {
		const struct repository *more = &asked->repositories[i];
		size_t place = 0;

		while (place < *count && (strcmp(list[place].mirror, more->mirror) != 0 ||
					  strcmp(list[place].suite, more->suite) != 0))
			place++;
		if (place == REPOSITORIES_MAX)
			return error_set(err, ERR_INPUT,
					 "too many repositories: the rootfs has %zu, and the limit "
					 "is %d",
					 c->manifest->repository_count, REPOSITORIES_MAX);
		list[place] = *more;
		*count += place == *count;
	}
	return 0;
}

static int change_open(struct package_change *c, const struct source *source, struct error **err)
{
	int r;

	/* An interrupt may end the process here, because nothing has been changed. */
	interrupt_leave();
	interrupt_watch(helper_channel(c->helper));
	r = packages_open(source, c->helper, c->progress, &c->fetch, err);
	interrupt_watch(-1);
	interrupt_catch();
	return r;
}

static int open_archive(struct package_change *c, struct error **err)
{
	struct repository repositories[REPOSITORIES_MAX];
	struct source source = c->request->source;

	source.suite = c->manifest->suite;
	source.arch = c->manifest->arch;
	if (!source.mirror) {
		source.mirror = c->manifest->mirror;
		source.dated = c->manifest->dated;
	}
	if (!source.components && c->manifest->components)
		source.components = (const char *const *)c->manifest->components;
	if (combine_repositories(c, repositories, &source.repository_count, err) < 0)
		return -1;
	source.repositories = repositories;
	return change_open(c, &source, err);
}

static int change_open_rootfs(struct package_change *c, int *rootfs, struct error **err)
{
	_cleanup_close_ int directory = -1;
	_cleanup_free_ char *absolute = NULL;
	bool closed;

	if (store_find(c->request->name, c->request->path, &directory, &absolute, err) < 0 ||
	    store_resolve(c->request->name, c->request->path, &c->parent, &c->base, err) < 0)
		return -1;
	c->parent_fd = open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->parent_fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open the directory %s", c->parent);
	interrupt_catch();
	if (helper_start(c->request->purpose, c->progress, &c->helper, err) < 0)
		return -1;
	store_sweep(c->helper, c->parent_fd, NULL);
	if (store_open(c->helper, directory, absolute, rootfs, &closed, err) < 0)
		return -1;
	c->mode = closed ? MODE_CLOSED : MODE_ENTERABLE;
	return store_check_unused(*rootfs, c->parent, c->base, err);
}

/* If that fails, the next automatic upgrade comes too early. */
static void note_freshness(const struct package_change *c)
{
	const struct manifest *m = c->next ? c->next : c->manifest;

	if (c->request->base == BASE_UPGRADED)
		freshness_write(c->parent, c->base, m->created, c->request->security && !c->next,
				NULL);
}

static int plan_packages(struct package_change *c, int rootfs, struct error **err)
{
	_cleanup_close_ int status = change_read_status(c, rootfs, err);

	return status < 0 || open_archive(c, err) < 0 ? -1 : change_choose(c, status, err);
}

static bool change_follows(const struct package_change *c)
{
	return c->manifest->published && c->request->base == BASE_UPGRADED && !c->request->unfollow;
}

static int plan_generation(struct package_change *c, struct error **err)
{
	const struct change_request *r = c->request;
	struct source source;

	if (r->archive_named)
		return error_set(err, ERR_INPUT,
				 "%s/%s follows its publisher and not an archive: leave out "
				 "--mirror, --components and --repository, or add --unfollow",
				 c->parent, c->base);
	if (follow_source(c->manifest, c->parent, c->base, &c->publisher, &source, err) < 0)
		return -1;
	if (r->publisher_keyring)
		source.keyring = r->publisher_keyring;
	source.allow_older = r->source.allow_older;
	return change_open(c, &source, err) < 0
		       ? -1
		       : published_choose(c->fetch, c->publisher.name, &c->next, err);
}

int change_plan(struct package_change *c, struct error **err)
{
	_cleanup_close_ int rootfs = -1;

	c->parent_fd = -1;
	if (change_open_rootfs(c, &rootfs, err) < 0 ||
	    manifest_read(c->helper, rootfs, &c->manifest, err) < 0)
		return -1;
	if ((change_follows(c) ? plan_generation(c, err) : plan_packages(c, rootfs, err)) < 0)
		return -1;
	if (change_is_empty(c))
		note_freshness(c);
	return 0;
}

const char *change_version(const struct package_change *c, const char *name)
{
	return manifest_version(c->manifest, name);
}

static bool unfollows(const struct package_change *c)
{
	return c->request->unfollow && c->manifest->published;
}

bool change_is_empty(const struct package_change *c)
{
	const struct package_set *set = packages_set(c->fetch);

	if (c->next)
		return c->next->published_generation == c->manifest->published_generation;
	return !set->package_count && !(set->removed && *set->removed) && !unfollows(c);
}

/* It no longer has the same files as its publisher's, so it gets this host's range, too. A manifest
 * from a lock has none, because such a rootfs is the same on every host. */
static int change_manifest(struct package_change *c, struct error **err)
{
	const struct package_set *set = packages_set(c->fetch);
	const struct manifest_requests requests = {
		.packages = (const char *const *)c->wanted,
		.optional = (const char *const *)c->optional,
		.removed = c->request->removed,
	};
	struct manifest *m = c->manifest;

	m->first_uid = helper_ids(c->helper)->first_uid;
	m->first_gid = helper_ids(c->helper)->first_gid;
	m->count = helper_ids(c->helper)->count;
	if (c->request->unfollow) {
		free(m->published);
		m->published = NULL;
	}
	if (c->request->source.repository_count && manifest_take_repositories(m, set, err) < 0)
		return -1;
	return manifest_change(m, set, &requests, err);
}

static int change_packages(struct package_change *c, const struct provision *provision,
			   struct error **err)
{
	if (change_manifest(c, err) < 0 ||
	    provision_change(c->helper, provision, c->manifest, err) < 0)
		return -1;
	if (c->request->unfollow)
		publisher_forget(c->parent, c->base);
	return 0;
}

int change_apply(struct package_change *c, struct error **err)
{
	const struct provision provision = {
		.parent = c->parent_fd,
		.base = c->base,
		.mode = (unsigned)c->mode,
		.fetch = c->fetch,
		.progress = c->progress,
		.replace = true,
		.keep_old = c->request->keep_old,
	};

	if ((c->next ? follow_replace(c->helper, &provision, c->parent, c->next, err)
		     : change_packages(c, &provision, err)) < 0)
		return -1;
	note_freshness(c);
	return 0;
}

void change_clear(struct package_change *c)
{
	progress_end(c->progress);
	helper_stop(&c->helper);
	packages_close(&c->fetch);
	manifest_free(&c->manifest);
	manifest_free(&c->next);
	publisher_clear(&c->publisher);
	words_free(c->wanted);
	words_free(c->optional);
	closep(&c->parent_fd);
	free(c->parent);
	free(c->base);
	free(c->profile_lost);
}
