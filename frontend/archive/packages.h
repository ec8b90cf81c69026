/* From a request to packages in the cache: release files, lists, choice, downloads. All of that
 * runs in a confined process (fetch_work.h). The code here starts the process, resolves hosts for
 * it, and has the helper verify release files before anything parses them. It trusts nothing that
 * the process says: paths are derived from hashes, and the helper checks the hashes. */
#pragma once

#include "frontend/archive/package_set.h"
#include "frontend/archive/program_index.h"
#include "frontend/archive/resolve.h"
#include "frontend/archive/source.h"
#include "frontend/cli/progress.h"
#include "frontend/client/client.h"

/* packages_set() has the results of each step: the pockets and description after packages_open(),
 * the indexes and packages (base-files first) after packages_choose(), and the packages' paths
 * after packages_download(). DONE (may be NULL) is called for each package as soon as it is in the
 * cache. After a failure call only packages_close(), except after ERR_INPUT from packages_choose().
 */
struct fetch;

/* HELPER verifies. It and PROGRESS remain the caller's, and must outlive the result. */
int packages_open(const struct source *source, struct helper *helper, struct progress *progress,
		  struct fetch **out, struct error **err);

/* ERR_TRUST for a wrong signature, hash or date, ERR_NETWORK if the mirror lacks a required file,
 * ERR_INPUT if it lacks a requested package. Can be called again. See resolve.h. */
int packages_choose(struct fetch *fetch, enum package_base base, const struct wanted *wanted,
		    struct error **err);
int packages_download(struct fetch *fetch,
		      int (*done)(const struct package *package, void *context, struct error **err),
		      void *context, struct error **err);

/* Reads the file PATH that the release file lists, "lock.json" for one. The caller frees it. Call
 * it after packages_open(). ERR_MISSING if it is not listed. */
char *packages_file(struct fetch *fetch, const char *path, size_t *size, struct error **err);

/* Makes the list of the release's programs in the cache, unless there is a current one, and sets
 * INDEX, whose text the caller frees. Call it after packages_open(). ERR_MISSING if the release
 * file signs no Contents index. */
int packages_programs(struct fetch *fetch, struct program_index *index, struct error **err);

/* Reads the list in the cache, without the network. Returns 1, 0 if it is missing, -1 with ERR
 * set. */
int packages_programs_cached(const struct source *source, struct program_index *index,
			     struct error **err);

/* Continues with a new process that has no network and trusts nothing that the previous one wrote
 * beyond what the release files sign: everything must be in the cache, and is hashed again. Call
 * packages_choose() and packages_download() next. UNPACK_INTO is a directory for packages_unpack().
 * Shows no progress. */
int packages_offline(struct fetch *fetch, const char *unpack_into, struct error **err);

/* Unpacks the kernel files of a downloaded package, after packages_offline(). */
int packages_unpack(struct fetch *fetch, size_t package, struct error **err);

/* Stops the process, so that its files can no longer change. The set remains. */
void packages_settle(struct fetch *fetch);

const struct package_set *packages_set(const struct fetch *fetch);
void packages_close(struct fetch **fetch);
