#include "frontend/fstests/run_index.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "frontend/cli/paths.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/run_directory.h"
#include "lib/clock.h"

#define FILE_NAME "runs.sqlite"
#define LOCK_SECONDS 10
#define LOCK_POLL_MS 20

/* One process at a time uses the file, so that a damaged one can be removed. Not forever: the
 * process that has the lock may be stopped. */
static bool index_lock(int runs)
{
	int64_t until = clock_seconds() + LOCK_SECONDS;

	while (flock(runs, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || clock_seconds() >= until)
			return false;
		poll(NULL, 0, LOCK_POLL_MS);
	}
	return true;
}

static void index_remove(const char *path)
{
	_cleanup_free_ char *journal = NULL;

	unlink(path);
	if (asprintf(&journal, "%s-journal", path) >= 0)
		unlink(journal);
}

static int index_read_all(int runs, const char *path, char *const *ids, size_t count, bool outcomes,
			  struct run_index *out, struct error **err)
{
	bool locked = index_lock(runs);
	enum index_result result = INDEX_UNUSABLE;

	for (int i = 0; locked && i < 2; i++) {
		result = index_file_read(path, NULL, runs, ids, count, outcomes, out, err);
		if (result != INDEX_DAMAGED)
			break;
		index_remove(path);
	}
	for (int i = 0; i < 2 && (result == INDEX_UNUSABLE || result == INDEX_DAMAGED); i++)
		result = index_file_read(NULL, i ? NULL : path, runs, ids, count, outcomes, out,
					 err);
	if (result == INDEX_GOOD)
		return 0;
	return error_set(err, ERR_SYSTEM, "cannot make an index of the runs");
}

int run_index_read(bool outcomes, struct run_index *out, struct error **err)
{
	_cleanup_free_ char *runs = paths_state("runs", err);
	_cleanup_free_ char *path = runs ? paths_state(FILE_NAME, err) : NULL;
	_cleanup_(words_freep) char **ids = NULL;
	_cleanup_close_ int fd = -1;
	size_t count;

	*out = (struct run_index){ 0 };
	if (!path || run_dir_list(&ids, &count, err) < 0)
		return -1;
	if (!count)
		return 0;
	fd = open(runs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", runs);
	return index_read_all(fd, path, ids, count, outcomes, out, err);
}
