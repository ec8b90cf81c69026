#include "helper/worker/tree/clamp.h"

#include <fcntl.h>

#include "helper/worker/tree/walk.h"

/* Directories come after their content, but a change of times in them would not change theirs. */
static int visit_clamp(struct walk *w, int directory, const char *name, const struct statx *st)
{
	const struct timespec *epoch = w->context;
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, *epoch };

	if (st->stx_mtime.tv_sec < epoch->tv_sec ||
	    (st->stx_mtime.tv_sec == epoch->tv_sec && !st->stx_mtime.tv_nsec))
		return 0;
	return utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW);
}

int clamp_times(int tree, int64_t epoch, struct error **err)
{
	struct timespec limit = { .tv_sec = epoch };
	struct walk w = { .visit = visit_clamp, .context = &limit, .top = -1 };
	struct statx st;

	if (walk(&w, tree) < 0 ||
	    statx(tree, ".", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0 ||
	    visit_clamp(&w, tree, ".", &st) < 0)
		return walk_explain(&w, "set times in the rootfs", err);
	return 0;
}
