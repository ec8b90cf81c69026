#include "frontend/rootfs/provision.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/manifest_change.h"
#include "frontend/rootfs/script_log.h"
#include "lib/error_wrap.h"
#include "lib/release_text.h"

static char *mutable(const char *s)
{
	/* Generated messages have no const, but packing does not write to them. */
	return (char *)(uintptr_t)s;
}

static int open_cached(const char *path, struct error **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		error_errno(err, ERR_SYSTEM, "cannot open %s", path);
	return fd;
}

/* 0: none. In a published tree, only what this host adds is newer than the publication. */
static uint32_t provision_epoch(const struct provision *p)
{
	if (p->finished)
		return (uint32_t)release_text_parse_time(packages_set(p->fetch)->pockets[0].date);
	return p->lock ? (uint32_t)p->lock->created : 0;
}

static int provision_begin(struct helper *h, const struct provision *p, struct error **err)
{
	_cleanup_close_ int keyring = open_cached(packages_set(p->fetch)->keyring, err);
	char filters[FILTERS_MAX][FILTER_PATTERN_SIZE + 1], *pointers[FILTERS_MAX];
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Begin message = ROOTLET__BEGIN__INIT;
	size_t count = p->finished ? 0 : p->profile->filter_count;

	if (keyring < 0)
		return -1;
	message.name = mutable(p->base);
	message.suite = packages_set(p->fetch)->suite;
	message.arch = packages_set(p->fetch)->arch;
	message.engine = mutable(p->engine);
	for (size_t i = 0; i < count; i++) {
		const struct path_filter *filter = &p->profile->filters[i];

		snprintf(filters[i], sizeof(filters[i]), "%c%s", filter->include ? '+' : '-',
			 filter->pattern);
		pointers[i] = filters[i];
	}
	message.epoch = provision_epoch(p);
	message.filters = pointers;
	message.n_filters = count;
	request.kind_case = ROOTLET__REQUEST__KIND_BEGIN;
	request.begin = &message;
	return helper_call(h, &request, (int[]){ p->parent, keyring }, 2, NULL, err);
}

static int hand_over_index(struct helper *h, const struct pocket *pocket,
			   const struct pocket_index *index, struct error **err)
{
	_cleanup_close_ int fd = open_cached(index->packages, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Index message = ROOTLET__INDEX__INIT;

	if (fd < 0)
		return -1;
	message.pocket = mutable(pocket->name);
	message.component = index->component;
	request.kind_case = ROOTLET__REQUEST__KIND_INDEX;
	request.index = &message;
	return helper_call(h, &request, &fd, 1, NULL, err);
}

static int hand_over_repository(struct helper *h, const struct package_set *set,
				const struct pocket *pocket, struct error **err)
{
	const struct repository *repository = &set->repositories[pocket->repository - 1];
	_cleanup_close_ int keyring = open_cached(repository->keyring, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Repository message = ROOTLET__REPOSITORY__INIT;

	if (keyring < 0)
		return -1;
	message.name = mutable(pocket->name);
	message.suite = repository->suite;
	message.mirror = pocket->place;
	message.older = pocket->older;
	request.kind_case = ROOTLET__REQUEST__KIND_REPOSITORY;
	request.repository = &message;
	return helper_call(h, &request, (int[]){ pocket->inrelease, keyring }, 2, NULL, err);
}

static int hand_over_release(struct helper *h, const struct package_set *set,
			     const struct pocket *pocket, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Release message = ROOTLET__RELEASE__INIT;

	message.pocket = mutable(pocket->name);
	message.mirror = pocket->place;
	message.older = pocket->older;
	message.dated = (uint32_t)set->dated;
	request.kind_case = ROOTLET__REQUEST__KIND_RELEASE;
	request.release = &message;
	return helper_call(h, &request, &pocket->inrelease, 1, NULL, err);
}

static int hand_over_pocket(struct helper *h, const struct package_set *set,
			    const struct pocket *pocket, struct error **err)
{
	if ((pocket->repository ? hand_over_repository(h, set, pocket, err)
				: hand_over_release(h, set, pocket, err)) < 0)
		return -1;
	for (size_t i = 0; i < pocket->index_count; i++)
		if (hand_over_index(h, pocket, &pocket->indexes[i], err) < 0)
			return -1;
	return 0;
}

struct handing {
	struct helper *helper;
	struct progress *progress;
};

static int hand_over_local(struct helper *h, const struct package *package, int fd,
			   struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__LocalPackage message = ROOTLET__LOCAL_PACKAGE__INIT;

	message.name = package->name;
	message.sha256.data = (uint8_t *)(uintptr_t)package->sha256;
	message.sha256.len = sizeof(package->sha256);
	request.kind_case = ROOTLET__REQUEST__KIND_LOCAL_PACKAGE;
	request.local_package = &message;
	return helper_call(h, &request, &fd, 1, NULL, err);
}

static int hand_over_package(const struct package *package, void *context, struct error **err)
{
	const struct handing *handing = context;
	_cleanup_close_ int fd = open_cached(package->path, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Package message = ROOTLET__PACKAGE__INIT;

	if (fd < 0)
		return -1;
	if (!package->pocket)
		return hand_over_local(handing->helper, package, fd, err);
	message.name = package->name;
	message.sha256.data = (uint8_t *)(uintptr_t)package->sha256;
	message.sha256.len = sizeof(package->sha256);
	request.kind_case = ROOTLET__REQUEST__KIND_PACKAGE;
	request.package = &message;
	return helper_call(handing->helper, &request, &fd, 1, NULL, err);
}

/* The helper unpacks packages while others are still being downloaded. */
static int hand_over(struct helper *h, const struct provision *p, struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	struct handing handing = { h, p->progress };
	int r;

	progress_stage(p->progress, "Verifying signatures and indexes");
	for (size_t i = 0; i < set->pocket_count; i++)
		if (hand_over_pocket(h, set, &set->pockets[i], err) < 0)
			return -1;
	progress_stage(p->progress, "Downloading and unpacking packages");
	/* Otherwise a dead helper goes unnoticed until the next package has arrived. */
	interrupt_watch(helper_channel(h));
	r = packages_download(p->fetch, hand_over_package, &handing, err);
	interrupt_watch(-1);
	return r;
}

/* What the output of dpkg and debootstrap tells. */
struct configuring {
	struct script_log log;
	struct progress *progress;
	uint64_t done, total;
};

/* As a callback for helper_set_log(). */
static void configuring_add(const char *line, void *context)
{
	static const char *const steps[] = { "Setting up ", "Unpacking ", "I: Unpacking ",
					     "I: Configuring " };
	struct configuring *c = context;

	script_log_add(line, &c->log);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (strncmp(line, steps[i], strlen(steps[i])) == 0) {
			progress_stage(c->progress, "Configuring");
			progress_update(c->progress, ++c->done, c->total, 0, 0);
		}
}

/* LINES are those about each package in the output of a build: two if dpkg or debootstrap also
 * unpacks. */
static int bootstrap(struct helper *h, const struct provision *p, unsigned lines,
		     struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Bootstrap message = ROOTLET__BOOTSTRAP__INIT;
	struct configuring c = {
		.progress = p->progress,
		.total = (uint64_t)packages_set(p->fetch)->package_count * lines,
	};
	int r;

	if (p->finished)
		progress_stage(p->progress, "Setting the times of directories");
	else
		progress_stage(p->progress, "Unpacking and configuring");
	request.kind_case = ROOTLET__REQUEST__KIND_BOOTSTRAP;
	request.bootstrap = &message;
	helper_set_log(h, configuring_add, &c);
	r = helper_call(h, &request, NULL, 0, NULL, err);
	helper_set_log(h, NULL, NULL);
	if (r < 0)
		script_log_explain(&c.log, p->base, p->progress, err);
	script_log_clear(&c.log);
	return r;
}

static int add_group(struct helper *h, const struct account_group *group, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__AddGroup message = ROOTLET__ADD_GROUP__INIT;

	message.name = group->name;
	message.gid = group->gid;
	request.kind_case = ROOTLET__REQUEST__KIND_ADD_GROUP;
	request.add_group = &message;
	return helper_call(h, &request, NULL, 0, NULL, err);
}

static int add_user(struct helper *h, const struct account *user, struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__AddUser message = ROOTLET__ADD_USER__INIT;

	message.name = user->name;
	message.uid = user->uid;
	message.gid = user->gid;
	message.home = user->home;
	message.shell = user->shell;
	message.groups = user->groups;
	message.n_groups = user->group_count;
	request.kind_case = ROOTLET__REQUEST__KIND_ADD_USER;
	request.add_user = &message;
	return helper_call(h, &request, NULL, 0, NULL, err);
}

static int add_accounts(struct helper *h, const struct provision *p, struct error **err)
{
	const struct profile *profile = p->profile;

	if (p->finished)
		return 0;
	progress_stage(p->progress, "Adding groups and users");
	for (size_t i = 0; i < profile->group_count; i++)
		if (add_group(h, &profile->groups[i], err) < 0)
			return error_wrap(err, "cannot add group %s", profile->groups[i].name);
	for (size_t i = 0; i < profile->user_count; i++)
		if (add_user(h, &profile->users[i], err) < 0)
			return error_wrap(err, "cannot add user %s", profile->users[i].name);
	return 0;
}

/* Frees what compose_manifest() makes; everything else is borrowed. */
static void composed_clear(struct manifest *m)
{
	manifest_clear_packages(m);
	words_free(m->components);
}

static int compose_components(const struct package_set *set, struct manifest *m, struct error **err)
{
	size_t count = 0;

	for (size_t i = 0; i < set->pocket_count; i++)
		for (size_t j = 0; !set->pockets[i].repository && j < set->pockets[i].index_count;
		     j++)
			if (words_add(&m->components, &count,
				      set->pockets[i].indexes[j].component) < 0)
				return error_no_memory(err);
	return 0;
}

static int compose_manifest(const struct helper *h, const struct provision *p, int *fd,
			    struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	const struct host_ids *ids = helper_ids(h);
	_cleanup_(composed_clear) struct manifest m = {
		.profile = p->profile->name,
		.profile_sha256 = mutable(p->profile->sha256),
		.suite = set->suite,
		.arch = set->arch,
		.distribution = set->distribution,
		.mirror = set->mirror,
		.dated = set->dated,
		.repositories = (struct repository *)(uintptr_t)set->repositories,
		.repository_count = set->repository_count,
		.first_uid = ids->first_uid,
		.first_gid = ids->first_gid,
		.count = ids->count,
		.created = time(NULL),
		.generation = 1,
		.engine = mutable(p->engine),
		.requested = p->profile->packages,
		.optional = p->profile->optional,
		.filters = p->profile->filters,
		.filter_count = p->profile->filter_count,
		.left_out = set->left_out,
		.users = p->profile->users,
		.user_count = p->profile->user_count,
		.groups = p->profile->groups,
		.group_count = p->profile->group_count,
	};

	if (p->lock)
		return manifest_write(p->lock, fd, err);
	if (manifest_take_packages(&m, set, err) < 0 || compose_components(set, &m, err) < 0)
		return -1;
	return manifest_write(&m, fd, err);
}

static int provision_publish(struct helper *h, const struct provision *p, int manifest,
			     struct error **err)
{
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Publish message = ROOTLET__PUBLISH__INIT;

	progress_stage(p->progress, "Writing to disk");
	message.replace = p->replace;
	message.mode = p->mode;
	message.keep_old = p->keep_old;
	request.kind_case = ROOTLET__REQUEST__KIND_PUBLISH;
	request.publish = &message;
	return helper_call(h, &request, &manifest, 1, NULL, err);
}

/* A failure is not an error: without a snapshot the next create only takes longer. */
static int provision_keep(struct helper *h, const struct provision *p, int manifest,
			  struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Keep message = ROOTLET__KEEP__INIT;

	if (!p->kept)
		return 0;
	message.name = mutable(p->kept->key);
	request.kind_case = ROOTLET__REQUEST__KIND_KEEP;
	request.keep = &message;
	if (helper_call(h, &request, (int[]){ p->kept->dir, manifest }, 2, NULL, &why) == 0)
		return 0;
	if (why && why->code == ERR_INTERRUPTED)
		return error_set(err, why->code, "%s", why->message);
	progress_note(p->progress, "cannot save the snapshot: %s", error_text(why));
	return 0;
}

int provision_rootfs(struct helper *h, const struct provision *p, struct error **err)
{
	_cleanup_close_ int manifest = -1;

	if (provision_begin(h, p, err) < 0 || hand_over(h, p, err) < 0 ||
	    bootstrap(h, p, strcmp(p->engine, "native") == 0 ? 1 : 2, err) < 0 ||
	    add_accounts(h, p, err) < 0 || compose_manifest(h, p, &manifest, err) < 0 ||
	    provision_keep(h, p, manifest, err) < 0 || provision_publish(h, p, manifest, err) < 0)
		return -1;
	progress_end(p->progress);
	return 0;
}

static int clone(struct helper *h, const struct provision *p, const struct clone_report **how,
		 struct error **err)
{
	static const struct clone_report ways[] = {
		{ "reflinks", "" },
		{ "hard links",
		  " below /usr, until something writes: this filesystem has no reflinks" },
		{ "copies", ": the cache is on another filesystem" },
		{ "copies", ": a rootfs made from a lock shares no files by hard links" },
	};
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Clone message = ROOTLET__CLONE__INIT;
	struct answer answer;

	progress_stage(p->progress, "Cloning");
	message.name = mutable(p->base);
	message.base_name = mutable(p->kept->key);
	message.epoch = provision_epoch(p);
	request.kind_case = ROOTLET__REQUEST__KIND_CLONE;
	request.clone = &message;
	if (helper_call(h, &request, (int[]){ p->parent, p->kept->dir }, 2, &answer, err) < 0)
		return -1;
	if (answer.status < 1 || answer.status > 3)
		return error_set(err, ERR_SYSTEM, "rootlet-helper cloned in an unknown way");
	*how = answer.status == 3 && p->lock ? &ways[3] : &ways[answer.status - 1];
	return 0;
}

/* ERR_TRUST if the helper does not recognise it as a rootfs: then it is useless as a snapshot. */
static int read_base(struct helper *h, int directory, struct manifest **manifest,
		     struct error **err)
{
	_cleanup_close_ int base = -1;

	if (view_open(h, directory, &base, NULL, err) == 0 &&
	    manifest_read(h, base, manifest, err) == 0)
		return 0;
	if (err && *err && (*err)->code == ERR_REFUSED)
		(*err)->code = ERR_TRUST;
	return -1;
}

int provision_clone(struct helper *h, const struct provision *p, const struct clone_report **how,
		    size_t *count, char ***left_out, struct error **err)
{
	_cleanup_close_ int directory = base_find(p->kept), fd = -1;
	_cleanup_(manifest_free) struct manifest *manifest = NULL;
	_cleanup_error_ struct error *why = NULL, *failed = NULL;

	if (directory < 0 || read_base(h, directory, &manifest, &why) < 0 ||
	    clone(h, p, how, &why) < 0) {
		if (why && why->code != ERR_TRUST && why->code != ERR_INPUT &&
		    why->code != ERR_MISSING)
			return error_set(err, why->code, "%s", why->message);
		progress_note(p->progress, "%s: rebuilding it", why ? why->message : "no snapshot");
		if (base_remove(h, p->kept->dir, p->kept->key, &failed) == 0)
			return 1;
		if (!failed || failed->code != ERR_REFUSED)
			return error_set(err, failed ? failed->code : ERR_SPACE, "%s",
					 error_text(failed));
		progress_note(p->progress, "cannot remove the snapshot: %s", failed->message);
		return 1;
	}
	manifest->created = p->lock ? p->lock->created : time(NULL);
	*count = manifest->package_count;
	if (manifest_write(manifest, &fd, err) < 0 || provision_publish(h, p, fd, err) < 0)
		return -1;
	*left_out = STEAL_PTR(manifest->left_out);
	progress_end(p->progress);
	return 0;
}

static int change_begin(struct helper *h, const struct provision *p, struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	_cleanup_close_ int keyring = open_cached(set->keyring, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Change message = ROOTLET__CHANGE__INIT;

	if (keyring < 0)
		return -1;
	progress_stage(p->progress, "Copying the rootfs");
	message.name = mutable(p->base);
	message.suite = set->suite;
	message.arch = set->arch;
	message.removed = set->removed;
	message.n_removed = words_count(set->removed);
	request.kind_case = ROOTLET__REQUEST__KIND_CHANGE;
	request.change = &message;
	return helper_call(h, &request, (int[]){ p->parent, keyring }, 2, NULL, err);
}

int provision_change(struct helper *h, const struct provision *p, struct manifest *manifest,
		     struct error **err)
{
	_cleanup_close_ int fd = -1;

	if (change_begin(h, p, err) < 0)
		return -1;
	/* Between the audit records of Change and Publish, by which its origin is found. */
	manifest->changed = time(NULL);
	if (manifest_write(manifest, &fd, err) < 0 ||
	    (packages_set(p->fetch)->package_count && hand_over(h, p, err) < 0) ||
	    bootstrap(h, p, 2, err) < 0 || provision_publish(h, p, fd, err) < 0)
		return -1;
	progress_end(p->progress);
	return 0;
}
