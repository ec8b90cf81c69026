#include "frontend/rootfs/auto_upgrade.h"

#include <time.h>

#include "frontend/cli/text.h"
#include "frontend/rootfs/change.h"
#include "frontend/rootfs/freshness.h"
#include "frontend/rootfs/opened_rootfs.h"
#include "frontend/rootfs/previous.h"
#include "frontend/rootfs/store.h"

static void note_outcome(const struct upgrade_wish *w, const struct package_change *c)
{
	const struct package_set *set = packages_set(c->fetch);

	if (c->next)
		progress_note(w->progress,
			      "the rootfs is generation %u of %s now, and the rootfs before it is "
			      "%s" PREVIOUS_SUFFIX,
			      c->next->published_generation, c->next->published, c->base);
	else
		progress_note(w->progress,
			      "changed %zu packages of the rootfs; this is generation %u, and the "
			      "rootfs before it is %s" PREVIOUS_SUFFIX,
			      set->package_count, c->manifest->generation, c->base);
}

static int upgrade_now(const struct upgrade_wish *w, struct error **err)
{
	const struct change_request request = {
		.purpose = "upgrade",
		.name = w->name,
		.path = w->path,
		.source.keyring = w->keyring,
		.base = BASE_UPGRADED,
		.profile = w->mode == UPGRADE_ALWAYS,
		.security = w->mode == UPGRADE_SECURITY,
		.keep_old = true,
	};
	struct package_change change = { .request = &request,
					 .progress = w->progress,
					 .parent_fd = -1 };
	int r = change_plan(&change, err);

	if (r == 0 && !change_is_empty(&change)) {
		r = change_apply(&change, err);
		if (r == 0)
			note_outcome(w, &change);
	}
	change_clear(&change);
	return r;
}

/* Why the rootfs is left as it is: its user chose exactly what is in it. NULL: it is not. */
static const char *find_pin(const struct manifest *m, const char *parent, const char *base)
{
	struct publisher publisher;
	const char *why = NULL;

	if (m->count)
		return NULL;
	if (!m->published)
		return "made from a lock";
	if (publisher_read(parent, base, &publisher, NULL) == 0 && publisher.pinned)
		why = "made with --generation";
	publisher_clear(&publisher);
	return why;
}

/* With the lock: another run may have upgraded the rootfs meanwhile. */
static int upgrade_if_old(const struct upgrade_wish *w, const char *parent, const char *base,
			  struct error **err)
{
	_cleanup_(opened_rootfs_clear) struct opened_rootfs rootfs = NOT_OPENED;
	const char *pin;
	int64_t created, age;

	/* The run itself reports what is wrong with it. */
	if (opened_rootfs_open("upgrade", w->name, w->path, &rootfs, NULL) < 0)
		return 0;
	created = rootfs.manifest->created;
	pin = find_pin(rootfs.manifest, parent, base);
	opened_rootfs_clear(&rootfs); /* the upgrade opens it itself */
	if (pin) {
		progress_note(w->progress, "the rootfs is %s: --auto-upgrade leaves it as it is",
			      pin);
		return 0;
	}
	age = time(NULL) - freshness_read(parent, base, created, w->mode == UPGRADE_SECURITY);
	if (age < (int64_t)w->days * DAY_SECONDS)
		return 0;
	progress_note(w->progress, "the rootfs was last up to date %d days ago: upgrading it",
		      (int)(age / DAY_SECONDS));
	return upgrade_now(w, err);
}

int auto_upgrade(const struct upgrade_wish *w, struct error **err)
{
	_cleanup_free_ char *parent = NULL, *base = NULL, *absolute = NULL;
	_cleanup_(freshness_unlock) int lock = -1;
	_cleanup_error_ struct error *why = NULL;
	_cleanup_close_ int directory = -1;

	if (w->mode == UPGRADE_NEVER || store_resolve(w->name, w->path, &parent, &base, NULL) < 0 ||
	    store_find(w->name, w->path, &directory, &absolute, NULL) < 0)
		return 0;
	lock = freshness_lock(parent, base, w->progress, &why);
	if (lock >= 0 && upgrade_if_old(w, parent, base, &why) == 0)
		return 0;
	if (why && why->code == ERR_INTERRUPTED) {
		if (err)
			*err = STEAL_PTR(why);
		return -1;
	}
	progress_note(w->progress, "cannot upgrade the rootfs: %s; going on with it as it is",
		      error_text(why));
	return 0;
}
