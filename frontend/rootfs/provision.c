#include "frontend/rootfs/provision.h"

#include <string.h>
#include <time.h>

#include "frontend/cli/word_list.h"
#include "frontend/client/remove_rootfs.h"
#include "frontend/client/view.h"
#include "frontend/rootfs/hand_over.h"
#include "frontend/rootfs/manifest_change.h"
#include "frontend/rootfs/script_log.h"
#include "lib/error_wrap.h"
#include "lib/release_text.h"

static char *mutable(const char *s)
{
	/* Generated messages have no const, but packing does not write to them. */
	return (char *)(uintptr_t)s;
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
	_cleanup_close_ int keyring = hand_over_open(packages_set(p->fetch)->keyring, err);
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

/* Those that FROM (NULL: a tree without accounts) does not have. */
static int add_accounts(struct helper *h, const struct provision *p, const struct nearest *from,
			struct error **err)
{
	const struct profile *profile = p->profile;

	if (p->finished || (from && !from->accounts))
		return 0;
	progress_stage(p->progress, "Adding groups and users");
	for (size_t i = 0; i < profile->group_count; i++)
		if (!(from && nearest_has_group(from, &profile->groups[i])) &&
		    add_group(h, &profile->groups[i], err) < 0)
			return error_wrap(err, "cannot add group %s", profile->groups[i].name);
	for (size_t i = 0; i < profile->user_count; i++)
		if (!(from && nearest_has_user(from, &profile->users[i])) &&
		    add_user(h, &profile->users[i], err) < 0)
			return error_wrap(err, "cannot add user %s", profile->users[i].name);
	return 0;
}

/* Frees what compose() makes; everything else is borrowed. */
static void composed_clear(struct manifest *m)
{
	manifest_clear_packages(m);
	words_free(m->components);
	words_free(m->left_out);
}

static int compose_left_out(const struct package_set *set, struct manifest *m, struct error **err)
{
	size_t count = 0;

	for (char *const *word = set->left_out; word && *word; word++)
		if (words_add(&m->left_out, &count, *word) < 0)
			return error_no_memory(err);
	return 0;
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

/* All of M but its time. It borrows from P, but not from the choice of packages. */
static int compose(const struct helper *h, const struct provision *p, struct manifest *m,
		   struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	const struct host_ids *ids = helper_ids(h);

	*m = (struct manifest){
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
		.generation = 1,
		.engine = mutable(p->engine),
		.requested = p->profile->packages,
		.optional = p->profile->optional,
		.filters = p->profile->filters,
		.filter_count = p->profile->filter_count,
		.users = p->profile->users,
		.user_count = p->profile->user_count,
		.groups = p->profile->groups,
		.group_count = p->profile->group_count,
	};
	return manifest_take_packages(m, set, err) < 0 || compose_left_out(set, m, err) < 0
		       ? -1
		       : compose_components(set, m, err);
}

static int compose_manifest(const struct helper *h, const struct provision *p, int *fd,
			    struct error **err)
{
	_cleanup_(composed_clear) struct manifest m = { 0 };

	if (p->lock)
		return manifest_write(p->lock, fd, err);
	if (compose(h, p, &m, err) < 0)
		return -1;
	m.created = time(NULL);
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

	if (provision_begin(h, p, err) < 0 || hand_over(h, p->fetch, p->progress, err) < 0 ||
	    bootstrap(h, p, strcmp(p->engine, "native") == 0 ? 1 : 2, err) < 0 ||
	    add_accounts(h, p, NULL, err) < 0 || compose_manifest(h, p, &manifest, err) < 0 ||
	    provision_keep(h, p, manifest, err) < 0 || provision_publish(h, p, manifest, err) < 0)
		return -1;
	progress_end(p->progress);
	return 0;
}

static int clone(struct helper *h, const struct provision *p, const char *key,
		 const struct clone_report **how, struct error **err)
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
	message.base_name = mutable(key);
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

/* Removes a snapshot that is useless, unless the policy forbids it. */
static int drop_base(struct helper *h, const struct provision *p, const char *key,
		     struct error **err)
{
	_cleanup_error_ struct error *failed = NULL;

	if (remove_rootfs(h, p->kept->dir, key, false, &failed) == 0)
		return 0;
	if (!failed || failed->code != ERR_REFUSED)
		return error_set(err, failed ? failed->code : ERR_SPACE, "%s", error_text(failed));
	progress_note(p->progress, "cannot remove the snapshot: %s", failed->message);
	return 0;
}

int provision_clone(struct helper *h, const struct provision *p, const struct clone_report **how,
		    size_t *count, char ***left_out, struct error **err)
{
	_cleanup_close_ int directory = base_find(p->kept), fd = -1;
	_cleanup_(manifest_free) struct manifest *manifest = NULL;
	_cleanup_error_ struct error *why = NULL;

	if (directory < 0 || read_base(h, directory, &manifest, &why) < 0 ||
	    clone(h, p, p->kept->key, how, &why) < 0) {
		if (why && why->code != ERR_TRUST && why->code != ERR_INPUT &&
		    why->code != ERR_MISSING)
			return error_set(err, why->code, "%s", why->message);
		progress_note(p->progress, "%s: rebuilding it", why ? why->message : "no snapshot");
		return drop_base(h, p, p->kept->key, err) < 0 ? -1 : 1;
	}
	manifest->created = p->lock ? p->lock->created : time(NULL);
	*count = manifest->package_count;
	if (manifest_write(manifest, &fd, err) < 0 || provision_publish(h, p, fd, err) < 0)
		return -1;
	*left_out = STEAL_PTR(manifest->left_out);
	progress_end(p->progress);
	return 0;
}

/* --- extending the nearest snapshot --- */

static int extend(struct helper *h, const struct provision *p, const char *key, struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	_cleanup_close_ int keyring = hand_over_open(set->keyring, err);
	Rootlet__Request request = ROOTLET__REQUEST__INIT;
	Rootlet__Extend message = ROOTLET__EXTEND__INIT;

	if (keyring < 0)
		return -1;
	progress_stage(p->progress, "Copying a snapshot");
	message.name = mutable(p->base);
	message.base_name = mutable(key);
	message.suite = set->suite;
	message.arch = set->arch;
	request.kind_case = ROOTLET__REQUEST__KIND_EXTEND;
	request.extend = &message;
	return helper_call(h, &request, (int[]){ p->parent, p->kept->dir, keyring }, 3, NULL, err);
}

/* Whether the choice, which is what is sent, is a part of what M says. An archive may have two
 * packages of the same name and version. */
static bool is_part(const struct manifest *m, const struct package_set *set)
{
	for (size_t i = 0; i < set->package_count; i++)
		if (!manifest_has_hash(m, set->packages[i].name, set->packages[i].sha256))
			return false;
	return true;
}

/* Reduces the choice to what the snapshot lacks. Returns 1 if that is impossible. */
static int choose_rest(const struct provision *p, const struct nearest *from,
		       const struct manifest *m, struct error **err)
{
	char **words = nearest_words(from, packages_set(p->fetch));
	const struct wanted wanted = { .packages = (const char *const *)words };
	int r;

	if (!words)
		return error_no_memory(err);
	r = packages_choose(p->fetch, BASE_EXACT, &wanted, err);
	words_free(words);
	return r < 0 ? -1 : !is_part(m, packages_set(p->fetch));
}

/* Returns 1 if the snapshot is unusable, after which the helper has nothing of it. */
static int extend_begin(struct helper *h, const struct provision *p, const struct nearest *from,
			const struct clone_report **how, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	const bool whole = nearest_is_whole(from);

	if ((whole ? clone(h, p, from->key, how, &why) : extend(h, p, from->key, &why)) == 0)
		return 0;
	if (why && why->code != ERR_TRUST && why->code != ERR_INPUT && why->code != ERR_MISSING &&
	    why->code != ERR_BUSY)
		return error_set(err, why->code, "%s", why->message);
	progress_note(p->progress, "cannot use snapshot %.12s: %s", from->key, error_text(why));
	if (why && why->code == ERR_TRUST && drop_base(h, p, from->key, err) < 0)
		return -1;
	return 1;
}

/* Returns 1 if a script failed: it may not do so in a build. */
static int extend_packages(struct helper *h, const struct provision *p, const struct nearest *from,
			   struct error **err)
{
	_cleanup_error_ struct error *why = NULL;

	if (nearest_is_whole(from))
		return 0;
	if (from->added + from->replaced && hand_over(h, p->fetch, p->progress, err) < 0)
		return -1;
	if (bootstrap(h, p, 2, &why) == 0)
		return 0;
	if (!why || why->code != ERR_PACKAGE)
		return error_set(err, why ? why->code : ERR_SPACE, "%s", error_text(why));
	progress_note(p->progress, "cannot extend snapshot %.12s: %s", from->key, why->message);
	return 1;
}

int provision_extend(struct helper *h, const struct provision *p, const struct nearest *from,
		     const struct clone_report **how, char ***left_out, struct error **err)
{
	_cleanup_(composed_clear) struct manifest m = { 0 };
	_cleanup_close_ int fd = -1;
	int r = compose(h, p, &m, err);

	if (r == 0 && !nearest_is_whole(from))
		r = choose_rest(p, from, &m, err);
	if (r == 0)
		r = extend_begin(h, p, from, how, err);
	/* Between the audit records of this and of Publish, by which its origin is found. */
	m.created = time(NULL);
	if (r == 0)
		r = extend_packages(h, p, from, err);
	if (r != 0)
		return r;
	if (add_accounts(h, p, from, err) < 0 || manifest_write(&m, &fd, err) < 0 ||
	    provision_keep(h, p, fd, err) < 0 || provision_publish(h, p, fd, err) < 0)
		return -1;
	*left_out = STEAL_PTR(m.left_out);
	progress_end(p->progress);
	return 0;
}

/* --- changes --- */

static int change_begin(struct helper *h, const struct provision *p, struct error **err)
{
	const struct package_set *set = packages_set(p->fetch);
	_cleanup_close_ int keyring = hand_over_open(set->keyring, err);
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
	    (packages_set(p->fetch)->package_count &&
	     hand_over(h, p->fetch, p->progress, err) < 0) ||
	    bootstrap(h, p, 2, err) < 0 || provision_publish(h, p, fd, err) < 0)
		return -1;
	progress_end(p->progress);
	return 0;
}
