/* From what the user wants to packages in the cache: release files, lists, choice, downloads. All
 * of it happens in a confined process (fetch_work.h). This half starts it, looks up hosts for it,
 * has the helper verify release files before anything parses them, and believes nothing that it
 * says: paths follow from hashes, and the helper checks the hashes. */
#pragma once

#include "frontend/archive/package_set.h"
#include "frontend/archive/resolve.h"
#include "frontend/archive/source.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"

/* A step's results stand in packages_set(): after packages_open the pockets and what the set says
 * of itself, after packages_choose the indexes and packages, base-files first, after
 * packages_download their paths. DONE (or NULL) is told of each package as soon as it is in the
 * cache. After a failure only packages_close() makes sense, but for ERR_INPUT of packages_choose().
 */
struct fetch;

/* HELPER verifies; it and PROGRESS stay the caller's, and outlive the result. */
int packages_open(const struct source *source, struct helper *helper, struct progress *progress,
		  struct fetch **out, struct error **err);

/* ERR_TRUST for a wrong signature, hash or date, ERR_NETWORK where the mirror does not give what it
 * must have, ERR_INPUT where it has not what was asked for. May be called again. */
int packages_choose(struct fetch *fetch, enum package_base base, const struct wanted *wanted,
		    struct error **err);
int packages_download(struct fetch *fetch,
		      int (*done)(const struct package *package, void *context, struct error **err),
		      void *context, struct error **err);

/* Goes on with a new process, which talks to no network and believes nothing that the one before
 * has written but what the release files sign: all has to be in the cache, and is hashed again.
 * Choose and download have to follow. UNPACK_INTO is a directory for packages_unpack(). Shows no
 * progress. */
int packages_offline(struct fetch *fetch, const char *unpack_into, struct error **err);

/* Unpacks the kernel's files of a package that has arrived, after packages_offline(). */
int packages_unpack(struct fetch *fetch, size_t package, struct error **err);

/* Ends the process, so that nothing changes any more what it has written; the set stays. */
void packages_settle(struct fetch *fetch);

const struct package_set *packages_set(const struct fetch *fetch);
void packages_close(struct fetch **fetch);
