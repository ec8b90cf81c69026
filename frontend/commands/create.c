/* rootlet create. Finds everything that can fail without the network before it downloads. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/archive/architecture.h"
#include "frontend/archive/cache.h"
#include "frontend/archive/permission.h"
#include "frontend/archive/source.h"
#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/style.h"
#include "frontend/cli/suggest.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/client/inspection.h"
#include "frontend/client/release_seen.h"
#include "frontend/client/view.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/dry_run.h"
#include "frontend/commands/source_line.h"
#include "frontend/commands/vm_line.h"
#include "frontend/rootfs/freshness.h"
#include "frontend/rootfs/lock.h"
#include "frontend/rootfs/name_claim.h"
#include "frontend/rootfs/nearest.h"
#include "frontend/rootfs/profile_load.h"
#include "frontend/rootfs/provision.h"
#include "frontend/rootfs/published.h"
#include "frontend/rootfs/publisher.h"
#include "frontend/rootfs/store.h"
#include "lib/error_wrap.h"
#include "proto/validate.h"

enum {
	OPTION_RELEASE = OPTION_OWN,
	OPTION_ARCH,
	OPTION_PROFILE,
	OPTION_FORCE,
	OPTION_INCLUDE,
	OPTION_ENGINE,
	OPTION_TREE_MODE,
	OPTION_FRESH,
	OPTION_DRY_RUN,
	OPTION_LOCK,
	OPTION_FROM,
	OPTION_PUBLISHED,
	OPTION_GENERATION,
	OPTION_SNAPSHOT,
};

static const struct option_row create_rows[] = {
	ROOTFS_ROWS,
	{ "--release", "SUITE", OPTION_RELEASE,
	  "jammy, noble, focal, bionic, bookworm, trixie (--suite is the same)",
	  .fallback = "jammy" },
	{ "--suite", "SUITE", OPTION_RELEASE },
	{ "--arch", "ARCH", OPTION_ARCH,
	  "architecture (default: the host's); a foreign one needs qemu-user-static on the host; "
	  "amd64 hosts cannot do i386" },
	{ "--profile", "PROFILE", OPTION_PROFILE, "what the rootfs is for: see rootlet profiles",
	  .fallback = "fstests" },
	{ "--lock", "FILE", OPTION_LOCK,
	  "make the rootfs that rootlet lock wrote FILE of, exactly; its release, profile, "
	  "packages "
	  "and engine come from FILE",
	  .once = true },
	{ "--from", "URL", OPTION_FROM,
	  "make the rootfs that rootlet publish wrote to URL, or to a directory; needs --keyring",
	  .once = true },
	{ "--published", "NAME", OPTION_PUBLISHED,
	  "with --from: name it was published under (default: the name of the new rootfs)",
	  .once = true },
	{ "--generation", "N", OPTION_GENERATION, "with --from: generation N instead of the newest",
	  .once = true },
	{ "--force", NULL, OPTION_FORCE, "replace an existing rootfs, once the new one is complete",
	  .once = true },
	{ "--snapshot", "DATE", OPTION_SNAPSHOT,
	  "use the archive as it was on DATE, such as 2024-03-01 or 20240301T030400Z; or the URL "
	  "of a "
	  "dated archive, which ends with its date",
	  .or_next = true },
	SOURCE_ROWS("Ubuntu's archive; for Debian, the mirror in the host's apt configuration"),
	REPOSITORY_ROW,
	{ "--include", "LIST", OPTION_INCLUDE,
	  "additional packages, such as \"gdb,strace\"; may be repeated" },
	{ "--engine", "native|debootstrap", OPTION_ENGINE,
	  "native, or debootstrap: the distribution's own tool, which is slower",
	  .fallback = "native" },
	{ "--tree-mode", "0700|0755", OPTION_TREE_MODE,
	  "0700: no user of the host can enter the rootfs; 0755: all local users can, and can run "
	  "its setuid programs",
	  .fallback = "0700" },
	{ "--fresh", NULL, OPTION_FRESH, "do not clone a cached snapshot, and do not save one",
	  .once = true },
	{ "--dry-run", NULL, OPTION_DRY_RUN,
	  "change nothing; print each request to rootlet-helper and whether the policy allows it "
	  "(exit status 1 if it refuses any)",
	  .once = true },
	QUIET_ROW,
	JSON_ROW(JSON_EVENTS),
	{ NULL },
};

struct create {
	const char *name, *path, *profile_name, *engine;
	const char *lock_file; /* NULL: none */
	const char *from;      /* URL of a published rootfs; NULL: none */
	struct source source;
	struct source_words read; /* what it borrows */
	char *includes;
	unsigned mode;
	bool force, fresh, dry_run, quiet, json;

	char *parent, *base;
	int parent_fd, old; /* or -1; old: the rootfs to replace (O_PATH) */
	struct name_claim claim;
	const char *published_name;	/* of FROM */
	char *published;		/* the same, with the generation if one was asked for */
	bool pinned;			/* one was */
	struct manifest *lock;		/* of --lock, or of the published rootfs; NULL: none */
	struct profile locked, *loaded; /* of the lock, whose texts it borrows; else of a file */
	const struct profile *profile;	/* one of them */
	struct progress *progress;
	struct helper *helper;
	struct fetch *fetch;
	struct base kept;
	const struct clone_report *how; /* how it was cloned; NULL: built */
	struct nearest nearest;		/* the snapshot that was extended; without manifest: none */
	size_t count;			/* packages in the rootfs */
	char **left_out;		/* if cloned: see struct manifest */
};

static void create_clear(struct create *c)
{
	progress_end(c->progress);
	helper_stop(&c->helper);
	progress_free(&c->progress);
	packages_close(&c->fetch);
	base_close(&c->kept);
	nearest_clear(&c->nearest);
	words_free(c->left_out);
	/* The helper's staging directory is gone by now. */
	name_claim_drop(&c->claim);
	profile_free(&c->loaded);
	manifest_free(&c->lock);
	free(c->published);
	closep(&c->old);
	closep(&c->parent_fd);
	free(c->parent);
	free(c->base);
	source_words_clear(&c->read);
	free(c->includes);
}

/* Joins the lists of all --include options. */
static int join_includes(struct create *c, const struct parsed_line *line, struct error **err)
{
	const char *list;
	size_t i = 0;

	while ((list = line_next(line, OPTION_INCLUDE, &i))) {
		char *joined = NULL;

		if (asprintf(&joined, "%s,%s", c->includes ? c->includes : "", list) < 0)
			return error_no_memory(err);
		free(c->includes);
		c->includes = joined;
	}
	return 0;
}

static int create_read_line(struct create *c, const struct parsed_line *line, struct error **err)
{
	c->name = line_value(line, OPTION_NAME);
	c->path = line_value(line, OPTION_PATH);
	c->profile_name = line_value(line, OPTION_PROFILE);
	c->engine = line_value(line, OPTION_ENGINE);
	c->lock_file = line_value(line, OPTION_LOCK);
	c->from = line_value(line, OPTION_FROM);
	c->source = (struct source){
		.suite = line_value(line, OPTION_RELEASE),
		.arch = line_value(line, OPTION_ARCH),
		.snapshot = line_value(line, OPTION_SNAPSHOT),
	};
	c->mode = (unsigned)strtoul(line_value(line, OPTION_TREE_MODE), NULL, 8);
	c->force = line_has(line, OPTION_FORCE);
	c->fresh = line_has(line, OPTION_FRESH);
	c->dry_run = line_has(line, OPTION_DRY_RUN);
	c->quiet = line_has(line, OPTION_QUIET);
	c->json = line_has(line, OPTION_JSON);
	if (c->source.snapshot && line_has(line, OPTION_MIRROR))
		return error_set(err, ERR_INPUT, "--snapshot and --mirror contradict each other");
	return source_line_read(line, &c->read, &c->source, err) < 0 ? -1
								     : join_includes(c, line, err);
}

/* Without --mirror, the default mirror if that is the lock's: this host may know a user name for
 * it, and another mirror for security updates. */
static int choose_mirror(struct create *c, struct error **err)
{
	_cleanup_(origin_free) struct origin *origin = NULL;
	_cleanup_free_ char *place = NULL;

	if (c->source.mirror)
		return 0;
	if (source_plan(&c->source, APT_DIR, &origin, NULL) == 0) {
		place = release_seen_place(origin->mirror);
		if (!place)
			return error_no_memory(err);
		if (strcmp(place, c->lock->mirror) == 0)
			return 0;
	}
	c->source.mirror = c->lock->mirror;
	return 0;
}

/* Options that do not go with OPTION, which says the same. */
static int check_replaced(const struct parsed_line *line, int option, const int *replaced,
			  size_t count, struct error **err)
{
	for (size_t i = 0; i < count; i++)
		if (line_has(line, replaced[i]))
			return error_set(err, ERR_INPUT, "%s and %s contradict each other",
					 option_row_coded(line->command, option)->name,
					 option_row_coded(line->command, replaced[i])->name);
	return 0;
}

static void use_lock_profile(struct create *c, const char *path)
{
	c->locked = lock_profile(c->lock, path);
	c->profile = &c->locked;
	c->profile_name = c->lock->profile;
}

static int read_lock(struct create *c, const struct parsed_line *line, struct error **err)
{
	static const int replaced[] = { OPTION_RELEASE, OPTION_ARCH,   OPTION_PROFILE,
					OPTION_INCLUDE, OPTION_ENGINE, OPTION_COMPONENTS,
					OPTION_SNAPSHOT };
	const struct manifest *lock;

	if (!c->lock_file)
		return 0;
	if (check_replaced(line, OPTION_LOCK, replaced, sizeof(replaced) / sizeof(*replaced), err) <
		    0 ||
	    lock_read(c->lock_file, &c->lock, err) < 0)
		return -1;
	lock = c->lock;
	c->engine = lock->engine;
	c->source.suite = lock->suite;
	c->source.arch = lock->arch;
	c->source.dated = lock->dated;
	if (!c->source.repository_count) {
		c->source.repositories = lock->repositories;
		c->source.repository_count = lock->repository_count;
	}
	c->source.components = (const char *const *)lock->components;
	use_lock_profile(c, c->lock_file);
	return choose_mirror(c, err);
}

/* A published rootfs is an archive of its own, in which the name takes the place of the release. */
static int read_from(struct create *c, const struct parsed_line *line, struct error **err)
{
	static const int replaced[] = { OPTION_RELEASE,	   OPTION_PROFILE,  OPTION_INCLUDE,
					OPTION_ENGINE,	   OPTION_MIRROR,   OPTION_LOCK,
					OPTION_COMPONENTS, OPTION_SNAPSHOT, OPTION_REPOSITORY };
	const char *name = line_value(line, OPTION_PUBLISHED);
	unsigned generation = 0;

	if (!c->from) {
		if (name || line_has(line, OPTION_GENERATION))
			return error_set(err, ERR_INPUT, "%s goes with --from",
					 name ? "--published" : "--generation");
		return 0;
	}
	if (check_replaced(line, OPTION_FROM, replaced, sizeof(replaced) / sizeof(*replaced), err) <
		    0 ||
	    line_number(line, OPTION_GENERATION, UINT32_MAX, &generation, err) < 0)
		return -1;
	if (!c->source.keyring)
		return error_set(
			err, ERR_INPUT,
			"--from needs --keyring FILE: the keys that the publisher gave you");
	if (asprintf(&c->published, generation ? "%s.%u" : "%s", name ? name : c->base,
		     generation) < 0) {
		c->published = NULL;
		return error_no_memory(err);
	}
	c->published_name = name ? name : c->base;
	c->pinned = generation;
	published_source(c->from, c->published, &c->source);
	c->engine = "pieces";
	c->profile_name = NULL;
	c->fresh = true;
	return 0;
}

static int check_release(const struct create *c, struct error **err)
{
	const char *const *suites = source_suites();
	_cleanup_free_ char *known = strdup("");
	const char *hint, *mean = "; did you mean: ";
	size_t count = 0;

	if (c->from || source_distribution(c->source.suite))
		return 0;
	for (; suites[count] && known; count++) {
		char *longer = NULL;

		if (asprintf(&longer, "%s %s", known, suites[count]) < 0)
			longer = NULL;
		free(known);
		known = longer;
	}
	hint = suggest(c->source.suite, suites, count);
	if (!valid_archive_word(c->source.suite))
		return error_set(err, ERR_INPUT, "invalid release name \"%.80s\"%s%s",
				 c->source.suite, hint ? mean : "", hint ? hint : "");
	return error_set(err, ERR_INPUT, "release \"%s\" is unknown; known releases:%s%s%s",
			 c->source.suite, known ? known : "", hint ? mean : "", hint ? hint : "");
}

static int load_profile(struct create *c, struct error **err)
{
	char *rest = NULL, *word;
	char **suite;

	if (c->lock || c->from)
		return 0;
	if (profile_load(c->profile_name, &c->loaded, err) < 0)
		return -1;
	c->profile = c->loaded;
	if (profile_choose_release(c->loaded, c->source.suite, err) < 0)
		return -1;
	for (word = c->includes ? strtok_r(c->includes, ", ", &rest) : NULL; word;
	     word = strtok_r(NULL, ", ", &rest))
		if (profile_add_package(c->loaded, word, err) < 0)
			return error_wrap(err, "--include");
	if (!c->profile->suites)
		return 0;
	for (suite = c->profile->suites; *suite; suite++)
		if (strcmp(*suite, c->source.suite) == 0)
			return 0;
	return error_set(err, ERR_INPUT, "profile %s does not support release %s: see suites in %s",
			 c->profile->name, c->source.suite, c->profile->path);
}

static int check_arch(const struct create *c, struct error **err)
{
	if (c->source.arch && (architecture_check(c->source.arch, err) < 0 ||
			       architecture_runs(c->source.arch, err) < 0))
		return -1;
	return 0;
}

/* Refuses a destination that exists, unless it is a rootfs and --force is given; that is C->old. */
static int check_existing(struct create *c, struct error **err)
{
	_cleanup_close_ int tree =
		openat(c->parent_fd, c->base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (tree < 0 && errno == ENOENT)
		return 0;
	if (tree < 0 && (errno == ELOOP || errno == ENOTDIR))
		return error_set(err, ERR_EXISTS,
				 "%s/%s is a symlink or a file, which rootlet does not "
				 "replace; choose another --name or --path",
				 c->parent, c->base);
	if (tree < 0)
		return error_errno(err, ERR_EXISTS, "%s/%s exists, but cannot be opened", c->parent,
				   c->base);
	if (!store_may_be_rootfs(tree))
		return error_set(err, ERR_EXISTS,
				 "%s/%s exists and was not made by rootlet; choose another "
				 "--name or --path",
				 c->parent, c->base);
	if (!c->force)
		return error_set(err, ERR_EXISTS,
				 "there is a rootfs at %s/%s already; use --force to "
				 "replace it",
				 c->parent, c->base);
	c->old = steal_fd(&tree);
	return 0;
}

/* Refuses now what the helper would refuse to replace at the end. */
static int check_replaceable(struct create *c, struct error **err)
{
	_cleanup_free_ char *path = store_join(c->parent, c->base);
	_cleanup_close_ int rootfs = -1;
	struct answer answer;

	if (permission_mode(c->mode, err) < 0 || (c->force && permission_replace(err) < 0))
		return -1;
	if (c->old < 0)
		return 0;
	if (!path)
		return error_no_memory(err);
	if (store_open(c->helper, c->old, path, &rootfs, NULL, err) < 0)
		return error_wrap(err, "cannot replace %s", path);
	if (store_check_unused(rootfs, c->parent, c->base, err) < 0)
		return -1;
	if (inspect_tree(c->helper, rootfs, false, &answer, err) < 0)
		return error_wrap(err, "cannot replace %s", path);
	return 0;
}

/* Another create may be about to make this rootfs: what it makes would be found only at the end. */
static int claim_destination(struct create *c, struct error **err)
{
	_cleanup_free_ char *path = store_join(c->parent, c->base);

	if (!path)
		return error_no_memory(err);
	return c->dry_run ? 0 : name_claim_take(c->parent_fd, c->base, path, &c->claim, err);
}

static int check_destination(struct create *c, struct error **err)
{
	/* 0700, since setuid programs in a rootfs run as the range's first id. */
	if (!c->path && !c->dry_run && mkdir(c->parent, 0700) < 0 && errno != EEXIST)
		return error_errno(err, ERR_SYSTEM, "cannot create the directory %s", c->parent);
	c->parent_fd = open(c->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->parent_fd < 0 && errno == ENOENT && c->dry_run)
		return 0;
	if (c->parent_fd < 0)
		return error_set(
			err, ERR_SYSTEM,
			"cannot open the directory %s: %s; choose another place with --path",
			c->parent, strerror(errno));
	if (claim_destination(c, err) < 0 || check_existing(c, err) < 0)
		return -1;
	if (faccessat(c->parent_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return error_set(err, ERR_SYSTEM,
				 "cannot write to the directory %s: %s; choose another place with "
				 "--path",
				 c->parent, strerror(errno));
	return 0;
}

/* Opens and locks the directory of snapshots, unless the policy allows no snapshots there. */
static int create_open_base(struct create *c, struct error **err)
{
	char content[2 * SHA256_LEN + 1], lock[2 * SHA256_LEN + 1];
	const struct base_recipe recipe = {
		.set = packages_set(c->fetch),
		.profile = c->profile,
		.ids = helper_ids(c->helper),
		.engine = c->engine,
		.components = c->source.components,
		.policy = content,
		.lock = c->lock ? lock : NULL,
	};
	struct decision d;

	if (c->lock && lock_digest(c->lock, lock) < 0)
		return error_no_memory(err);
	if (permission_content(content, err) < 0 ||
	    base_open(&recipe, c->progress, &c->kept, err) < 0 ||
	    permission_keep(c->kept.dir, &d, err) < 0)
		return -1;
	if (d.allowed)
		return 0;
	base_close(&c->kept);
	progress_note(c->progress, "no snapshot is saved: %s", d.why);
	return 0;
}

/* Clones a snapshot if there is an intact one. Returns 1 if the rootfs has to be built. */
static int create_from_base(struct create *c, struct provision *provision, struct error **err)
{
	_cleanup_close_ int there = -1;
	int r;

	if (c->fresh)
		return 1;
	if (create_open_base(c, err) < 0)
		return -1;
	if (c->kept.dir < 0)
		return 1;
	provision->kept = &c->kept;
	store_sweep(c->helper, c->kept.dir, c->kept.key);
	base_prune(c->helper, c->kept.dir);
	there = base_find(&c->kept);
	if (there < 0)
		return 1;
	r = provision_clone(c->helper, provision, &c->how, &c->count, &c->left_out, err);
	/* If an unusable snapshot could not be removed, a new one cannot take its name. */
	if (r > 0 && faccessat(c->kept.dir, c->kept.key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		provision->kept = NULL;
	return r;
}

static struct provision plan(const struct create *c)
{
	return (struct provision){
		.parent = c->parent_fd,
		.base = c->base,
		.engine = c->engine,
		.replace = c->force,
		.mode = c->mode,
		.profile = c->profile,
		.fetch = c->fetch,
		.progress = c->progress,
		.lock = c->lock,
		.finished = c->from,
	};
}

static int choose_pieces(struct create *c, struct error **err)
{
	if (published_choose(c->fetch, c->published_name, &c->lock, err) < 0)
		return -1;
	use_lock_profile(c, PUBLISHED_LOCK);
	c->source.suite = c->lock->suite;
	c->count = c->lock->package_count;
	return 0;
}

/* Exactly the packages of the lock, before any of them is downloaded. */
static int choose_locked(struct create *c, struct error **err)
{
	char **words = lock_words(c->lock);
	const struct wanted wanted = { .packages = (const char *const *)words };
	int r;

	if (!words)
		return error_no_memory(err);
	r = packages_choose(c->fetch, BASE_EXACT, &wanted, err);
	words_free(words);
	if (r < 0)
		return error_wrap(err, "cannot make the rootfs of %s", c->lock_file);
	c->count = packages_set(c->fetch)->package_count;
	return lock_compare(c->lock, packages_set(c->fetch), err) < 0
		       ? error_wrap(err, "cannot make the rootfs of %s", c->lock_file)
		       : 0;
}

static int choose_packages(struct create *c, struct error **err)
{
	const struct wanted wanted = {
		.packages = (const char *const *)c->profile->packages,
		.optional = (const char *const *)c->profile->optional,
	};

	if (packages_choose(c->fetch, BASE_MINIMAL, &wanted, err) < 0)
		return -1;
	c->count = packages_set(c->fetch)->package_count;
	return 0;
}

static int create_choose(struct create *c, struct error **err)
{
	if (c->from)
		return choose_pieces(c, err);
	return c->lock ? choose_locked(c, err) : choose_packages(c, err);
}

/* Extends C's nearest snapshot. Returns 1 if the rootfs has to be built after all; then its
 * packages are chosen again. */
static int create_extend(struct create *c, const struct provision *provision, const char *keyring,
			 struct error **err)
{
	const struct nearest *from = &c->nearest;
	int r;

	progress_note(c->progress, "using snapshot %.12s: %zu packages to add, %zu to replace",
		      from->key, from->added, from->replaced);
	base_note(&c->kept, keyring, nearest_is_whole(from) && !from->extended ? NULL : from->key);
	base_touch(c->kept.dir, from->key);
	r = provision_extend(c->helper, provision, from, &c->how, &c->left_out, err);
	if (r <= 0)
		return r;
	nearest_clear(&c->nearest);
	base_note(&c->kept, keyring, NULL);
	return create_choose(c, err) < 0 ? -1 : 1;
}

/* Makes the rootfs from another snapshot, if there is one that has most of it. Returns 1 if it has
 * to be built. */
static int create_from_nearest(struct create *c, const struct provision *provision,
			       struct error **err)
{
	char keyring[2 * SHA256_LEN + 1], policy[2 * SHA256_LEN + 1];
	const struct nearest_goal goal = {
		.set = packages_set(c->fetch),
		.profile = c->profile,
		.ids = helper_ids(c->helper),
		.keyring = keyring,
		.policy = policy,
	};

	if (!provision->kept || c->lock)
		return 1;
	if (permission_content(policy, err) < 0 ||
	    base_hash_keyring(goal.set->keyring, keyring, err) < 0)
		return -1;
	base_note(&c->kept, keyring, NULL);
	if (strcmp(c->engine, "native") != 0 ||
	    nearest_find(c->helper, &c->kept, &goal, &c->nearest) == 0)
		return 1;
	return create_extend(c, provision, keyring, err);
}

/* Records where the rootfs was published, for upgrades. If that fails, they say so. */
static void note_publisher(const struct create *c)
{
	const struct publisher publisher = {
		.url = packages_set(c->fetch)->mirror,
		.name = (char *)(uintptr_t)c->published_name,
		.keyring = packages_set(c->fetch)->keyring,
		.pinned = c->pinned,
	};

	publisher_forget(c->parent, c->base);
	if (!c->from)
		return;
	publisher_write(c->parent, c->base, &publisher, NULL);
	freshness_write(c->parent, c->base, c->lock->created, false, NULL);
}

static int create_rootfs(struct create *c, struct error **err)
{
	struct provision provision;
	int r;

	interrupt_catch();
	if (helper_start("create", c->progress, &c->helper, err) < 0)
		return -1;
	store_sweep(c->helper, c->parent_fd, NULL);
	if (check_replaceable(c, err) < 0)
		return -1;
	/* An interrupt may end the process here: only the cache is on disk, and it survives that.
	 */
	interrupt_leave();
	interrupt_watch(helper_channel(c->helper));
	r = packages_open(&c->source, c->helper, c->progress, &c->fetch, err);
	interrupt_watch(-1);
	if (r < 0)
		return -1;
	interrupt_catch();
	provision = plan(c);
	r = create_from_base(c, &provision, err);
	if (r == 0)
		note_publisher(c);
	if (r <= 0)
		return r;
	if (create_choose(c, err) < 0)
		return -1;
	/* Only now is it known what the published rootfs is. */
	provision.lock = c->lock;
	provision.profile = c->profile;
	r = create_from_nearest(c, &provision, err);
	if (r == 0)
		note_publisher(c);
	if (r <= 0)
		return r;
	if (provision_rootfs(c->helper, &provision, err) < 0)
		return -1;
	note_publisher(c);
	return 0;
}

/* The fields that are known even if the create failed. */
static json_t *create_describe(const struct create *c)
{
	_cleanup_free_ char *absolute = c->base ? store_join(c->parent, c->base) : NULL;

	return json_pack("{s:o, s:o, s:o, s:o}", "path", json_text(absolute), "release",
			 json_text(c->source.suite), "profile", json_text(c->profile_name), "mode",
			 json_text(c->mode == MODE_ENTERABLE ? "0755" : "0700"));
}

/* The optional packages of the profile that the release does not have. */
static char *const *left_out(const struct create *c)
{
	if (c->lock)
		return c->lock->left_out;
	if (c->how || c->nearest.manifest)
		return c->left_out;
	return c->fetch ? packages_set(c->fetch)->left_out : NULL;
}

static void print_left_out(const struct create *c)
{
	char *const *word = left_out(c);

	if (!word || !*word)
		return;
	printf("Left out, because %s does not have them:", c->source.suite);
	for (; *word; word++)
		printf(" %s", *word);
	putchar('\n');
}

/* --- --dry-run --- */

struct asking {
	json_t *requests; /* NULL: print them */
	int refused;
};

static void create_tell(const char *request, const char *arguments, const struct decision *d,
			void *context)
{
	struct asking *asking = context;

	asking->refused += !d->allowed;
	if (asking->requests) {
		json_array_append_new(asking->requests,
				      json_pack("{s:s, s:o, s:b, s:o, s:o}", "request", request,
						"arguments", json_text(arguments), "allowed",
						d->allowed, "rule", json_text(d->rule), "why",
						json_text(d->allowed ? NULL : d->why)));
		return;
	}
	printf("%-7s %-9s %s%s(%s)\n", d->allowed ? "allowed" : "refused", request, arguments,
	       *arguments ? " " : "", d->rule);
	if (!d->allowed)
		style_print(stdout, STYLE_PLAIN, "%-7s %s\n", "", d->why);
}

/* Returns 1 if the helper would answer, 0 if not (which is reported), or -1 with ERR set. */
static int start_dry_run(struct create *c, struct asking *asking, struct error **err)
{
	int r = dry_run_start(create_tell, asking, err);

	if (r <= 0)
		return r;
	return helper_start("create", c->progress, &c->helper, err) < 0 ? -1 : 1;
}

/* Asks the helper only to verify release files, and downloads no packages. Returns the exit status,
 * or -1 with ERR set. */
static int dry_run(struct create *c, struct error **err)
{
	_cleanup_free_ char *dir = c->fresh ? NULL : cache_path(BASES_DIR, err);
	_cleanup_free_ char *bases = dir ? realpath(dir, NULL) : NULL;
	struct asking asking = { .requests = c->json ? json_array() : NULL };
	struct provision provision;
	json_t *result;
	int status, started;

	if (!c->fresh && !dir)
		return -1;
	started = start_dry_run(c, &asking, err);
	if (started < 0 || (started > 0 && (packages_open(&c->source, c->helper, c->progress,
							  &c->fetch, err) < 0 ||
					    create_choose(c, err) < 0))) {
		json_decref(asking.requests);
		return -1;
	}
	progress_end(c->progress);
	provision = plan(c);
	if (started > 0 &&
	    dry_run_requests(&provision, c->parent, bases, create_tell, &asking, err) < 0) {
		json_decref(asking.requests);
		return -1;
	}
	status = asking.refused ? EXIT_FAILED : EXIT_OK;
	if (!c->json) {
		print_left_out(c);
		return status;
	}
	result = create_describe(c);
	json_object_set_new(result, "left_out", json_words(left_out(c)));
	json_object_set_new(result, "requests", asking.requests);
	json_object_set_new(result, "refused", json_integer(asking.refused));
	return event_result(result, status);
}

/* --- result --- */

static json_t *list_users(const struct profile *profile)
{
	json_t *users = json_array();

	for (size_t i = 0; i < profile->user_count; i++)
		json_array_append_new(users, json_text(profile->users[i].name));
	return users;
}

/* The archive of a published rootfs has rootlet as its origin; the lock says what it was made of.
 */
static const char *create_distribution(const struct create *c)
{
	return c->from ? c->lock->distribution : packages_set(c->fetch)->distribution;
}

static json_t *describe_nearest(const struct nearest *from)
{
	if (!from->manifest)
		return json_null();
	return json_pack("{s:s, s:I, s:I}", "snapshot", from->key, "added", (json_int_t)from->added,
			 "replaced", (json_int_t)from->replaced);
}

static int print_result(struct create *c, time_t began)
{
	_cleanup_close_ int rootfs = -1;
	struct answer inspection = { .fd = -1 };
	json_t *result = create_describe(c), *bytes = json_null();

	if (view_open_at(c->helper, c->parent_fd, c->base, &rootfs, NULL) == 0 &&
	    inspect_tree(c->helper, rootfs, false, &inspection, NULL) == 0)
		bytes = json_integer((json_int_t)inspection.bytes);
	json_object_set_new(result, "bytes", bytes);
	json_object_set_new(result, "distribution", json_text(create_distribution(c)));
	json_object_set_new(result, "arch", json_text(packages_set(c->fetch)->arch));
	json_object_set_new(result, "packages", json_integer((json_int_t)c->count));
	json_object_set_new(result, "left_out", json_words(left_out(c)));
	json_object_set_new(result, "users", list_users(c->profile));
	json_object_set_new(result, "cloned", json_text(c->how ? c->how->word : NULL));
	json_object_set_new(result, "extended", describe_nearest(&c->nearest));
	json_object_set_new(result, "seconds", json_integer((json_int_t)(time(NULL) - began)));
	return event_result(result, EXIT_OK);
}

static void print_done(const struct create *c, time_t began)
{
	char took[TEXT_DURATION_LEN];

	if (c->quiet)
		return;
	printf("Made %s/%s: %s %s, %zu packages, in %s\n", c->parent, c->base,
	       create_distribution(c), c->source.suite, c->count,
	       text_duration((uint64_t)(time(NULL) - began), took));
	print_left_out(c);
	if (c->how)
		printf("Cloned from a cached snapshot, with %s%s.\n", c->how->word, c->how->why);
	else if (c->nearest.manifest)
		printf("Made from a cached snapshot: %zu packages added, %zu replaced.\n",
		       c->nearest.added, c->nearest.replaced);
}

/* Returns the exit status of a dry run, 0 after a create, or -1 with ERR set. */
static int prepare_and_create(struct create *c, const struct parsed_line *line, struct error **err)
{
	if (create_read_line(c, line, err) < 0 ||
	    store_resolve(c->name, c->path, &c->parent, &c->base, err) < 0 ||
	    read_from(c, line, err) < 0 || read_lock(c, line, err) < 0 ||
	    check_release(c, err) < 0 || check_arch(c, err) < 0 || load_profile(c, err) < 0 ||
	    check_destination(c, err) < 0)
		return -1;
	c->progress = progress_new(c->quiet || c->dry_run ? PROGRESS_QUIET
				   : c->json		  ? PROGRESS_JSON
							  : PROGRESS_STDOUT);
	return c->dry_run ? dry_run(c, err) : create_rootfs(c, err);
}

static int command_create(const struct parsed_line *line)
{
	_cleanup_(create_clear) struct create c = {
		.parent_fd = -1,
		.old = -1,
		.claim = NAME_CLAIM_NONE,
		.kept = BASE_NONE_OPEN,
	};
	_cleanup_error_ struct error *err = NULL;
	time_t began = time(NULL);
	int status = prepare_and_create(&c, line, &err);

	if (status < 0) {
		progress_end(c.progress);
		/* The helper removes its staging tree when it stops; report the error after that.
		 */
		helper_stop(&c.helper);
		status = report_error("create", err);
		return c.json ? event_failure(create_describe(&c), err, status) : status;
	}
	if (c.dry_run)
		return status;
	if (c.json)
		return print_result(&c, began);
	print_done(&c, began);
	return EXIT_OK;
}

const struct command create_command = {
	.name = "create",
	.summary = "make a root filesystem for kernel testing",
	.about = "Creates a root filesystem for kernel testing. Its packages come from a "
		 "distribution's archive, its users and groups from a profile. Needs no sudo, only "
		 "a range of ids in /etc/subuid and /etc/subgid.",
	.statuses = "0 created; 1 failed; 2 wrong command line or profile; 3 wrong signature, hash "
		    "or date; 4 mirror; 5 the host lacks something; 6 it exists or is in use; 7 "
		    "disk full; 130 interrupted. A create that fails leaves only cached packages "
		    "and, if a package's script failed, a file with the script's output, which the "
		    "error message names.",
	.rows = create_rows,
	.run = command_create,
	.acts = true,
};
