/* Changes the packages of a rootfs: installs, removes or upgrades. A copy of the rootfs is changed,
 * and takes its place when it is complete. */
#pragma once

#include <stdbool.h>

#include "frontend/archive/packages.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/publisher.h"

struct change_request {
	const char *purpose;	 /* "install", for the audit log */
	const char *name, *path; /* of the rootfs: see store.h */
	/* SUITE, ARCH, MIRROR and COMPONENTS default to the rootfs's, which gets the repositories.
	 */
	struct source source;
	enum package_base base;			      /* BASE_INSTALLED or BASE_UPGRADED */
	const char *const *packages, *const *removed; /* NULL-terminated, or NULL: none */
	const char *const *debs;		      /* likewise: paths of .deb files */
	bool profile;  /* also installs what the rootfs's profile wants */
	bool security; /* only from the release itself and its security pocket */
	bool keep_old; /* the old rootfs stays as NAME.previous */
	/* For a rootfs that follows a publisher. */
	bool unfollow;		       /* it follows the archive from now on */
	bool archive_named;	       /* the user named a part of SOURCE */
	const char *publisher_keyring; /* in place of the recorded one; NULL: none */
};

struct package_change {
	const struct change_request *request;
	struct progress *progress;
	char *parent, *base; /* of the rootfs */
	int parent_fd, mode; /* MODE: 0700 or 0755, as before */
	struct helper *helper;
	struct fetch *fetch;
	struct manifest *manifest; /* before change_apply(); then that of the changed rootfs */
	/* Of the publisher's newest generation, which takes the place of the whole rootfs. Then
	 * MANIFEST stays that of the old one. NULL: the rootfs does not follow a publisher. */
	struct manifest *next;
	struct publisher publisher;
	char **wanted, **optional; /* NULL-terminated: requested now; NULL: none */
	char *profile_lost;	   /* why the profile is ignored; NULL: it is not */
};

/* Finds out what would change. packages_set(C->fetch) has the packages that the rootfs gets, and
 * the names of those that it loses. ERR_BUSY if it is in use. The caller clears C in any case. */
int change_plan(struct package_change *c, struct error **err);

/* The version that the rootfs has of package NAME, before change_apply(), or NULL. */
const char *change_version(const struct package_change *c, const char *name);

/* Whether there is nothing to do. */
bool change_is_empty(const struct package_change *c);

/* Makes the changes. On failure the rootfs is as it was. */
int change_apply(struct package_change *c, struct error **err);

void change_clear(struct package_change *c);
