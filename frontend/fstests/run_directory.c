#include "frontend/fstests/run_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/tree.h"
#include "frontend/cli/word_list.h"
#include "lib/write_all.h"

#define RECORD_MOST (16u << 20)
#define RECORD_FORMAT 1 /* the newest; run.json says so if it has another */

void run_dir_close(struct run_dir *run)
{
	free(run->id);
	free(run->path);
	closep(&run->fd);
	*run = RUN_DIR_NONE;
}

/* The caller frees the result; NULL with ERR set. */
static char *runs_path(struct error **err)
{
	_cleanup_free_ char *path = paths_state("runs", err);

	if (path && dir_make(path) == 0)
		return STEAL_PTR(path);
	if (path)
		error_errno(err, ERR_SYSTEM, "cannot create the runs directory %s", path);
	return NULL;
}

static bool run_directory_is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	bool empty = directory;

	if (!directory) {
		closep(&copy);
		return false;
	}
	while (empty && (entry = readdir(directory)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(directory);
	return empty;
}

int run_dir_check(const char *path, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_errno(err, ERR_INPUT, "cannot use %s for results", path);
	if (!run_directory_is_empty(fd))
		return error_set(err, ERR_EXISTS, "cannot use %s for results: it is not empty",
				 path);
	return 0;
}

/* Creates RUNS/ID, or a link of that name to the user's directory. Returns 1 if the id is taken. */
static int place_dir(const char *runs, const char *results, struct run_dir *run, struct error **err)
{
	_cleanup_free_ char *link = NULL;

	if (asprintf(&link, "%s/%s", runs, run->id) < 0)
		return error_no_memory(err);
	if (!results) {
		if (mkdir(link, 0700) < 0)
			return errno == EEXIST
				       ? 1
				       : error_errno(err, ERR_SYSTEM, "cannot make %s", link);
		run->path = STEAL_PTR(link);
		return 0;
	}
	if (mkdir(results, 0755) < 0 && errno != EEXIST)
		return error_errno(err, ERR_INPUT, "cannot create the results directory %s",
				   results);
	run->path = realpath(results, NULL);
	if (!run->path)
		return error_errno(err, ERR_INPUT, "cannot use %s for results", results);
	if (symlink(run->path, link) < 0)
		return errno == EEXIST ? 1 : error_errno(err, ERR_SYSTEM, "cannot make %s", link);
	return 0;
}

static int run_directory_open_dir(struct run_dir *run, struct error **err)
{
	run->fd = open(run->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->fd < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot open %s", run->path);
	return 0;
}

/* "20261124-153012-ext4", with a number appended if that id is taken. */
static int choose_id(const char *runs, const char *what, const char *results, struct run_dir *run,
		     struct error **err)
{
	time_t seconds = time(NULL);
	char when[32];
	struct tm t;

	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", localtime_r(&seconds, &t));
	for (int number = 1; number < 1000; number++) {
		char suffix[8] = "";
		int result;

		if (number > 1)
			snprintf(suffix, sizeof(suffix), "-%d", number);
		free(run->id);
		free(run->path);
		run->path = NULL;
		if (asprintf(&run->id, "%s-%s%s", when, what, suffix) < 0) {
			run->id = NULL;
			return error_no_memory(err);
		}
		result = place_dir(runs, results, run, err);
		if (result <= 0)
			return result;
	}
	return error_set(err, ERR_SYSTEM, "cannot create a directory for this run in %s", runs);
}

static int sync_dir(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

int run_dir_make(const char *what, const char *results, struct run_dir *run, struct error **err)
{
	_cleanup_free_ char *runs = runs_path(err);

	*run = RUN_DIR_NONE;
	if (!runs || (results && run_dir_check(results, err) < 0) ||
	    choose_id(runs, what, results, run, err) < 0 || run_directory_open_dir(run, err) < 0) {
		run_dir_close(run);
		return -1;
	}
	if (flock(run->fd, LOCK_EX | LOCK_NB) < 0) {
		error_errno(err, ERR_BUSY, "cannot lock %s", run->path);
		run_dir_close(run);
		return -1;
	}
	if (mkdirat(run->fd, RUN_RESULTS, 0755) < 0 || sync_dir(runs) < 0) {
		error_errno(err, ERR_SYSTEM, "cannot make %s/" RUN_RESULTS, run->path);
		run_dir_close(run);
		return -1;
	}
	return 0;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* words_add() would compare each id with all others. */
static int add_id(char ***ids, size_t *count, const char *name)
{
	char **end = array_grow(ids, *count + 1, sizeof(char *));

	if (!end || !(end[-1] = strdup(name)))
		return -1;
	(*count)++;
	return 0;
}

int run_dir_list(char ***ids, size_t *count, struct error **err)
{
	_cleanup_free_ char *runs = paths_state("runs", err);
	DIR *directory = runs ? opendir(runs) : NULL;
	const struct dirent *entry;
	int result = 0;

	*ids = NULL;
	*count = 0;
	if (!runs)
		return -1;
	if (!directory && errno != ENOENT)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", runs);
	while (result == 0 && directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			result = add_id(ids, count, entry->d_name);
	if (directory)
		closedir(directory);
	if (result < 0) {
		words_free(*ids);
		return error_no_memory(err);
	}
	if (*count)
		qsort(*ids, *count, sizeof(**ids), compare_words);
	return 0;
}

/* "last" is the newest run that can be opened: a link may point to a directory that the user has
 * removed. */
static int open_last(struct run_dir *run, struct error **err)
{
	_cleanup_error_ struct error *ignored = NULL;
	char **ids;
	size_t count;
	int result = -1;

	if (run_dir_list(&ids, &count, err) < 0)
		return -1;
	for (size_t i = count; i-- > 0 && result < 0;) {
		error_free(&ignored);
		result = run_dir_open(ids[i], run, &ignored);
	}
	for (size_t i = 0; i < count; i++)
		free(ids[i]);
	free(ids);
	if (result < 0)
		return error_set(err, ERR_MISSING, "no runs yet; see: rootlet fstests --help");
	return 0;
}

static char *baseline_path(const char *name)
{
	_cleanup_free_ char *all = paths_state(RUN_BASELINES, NULL);
	_cleanup_free_ char *path = NULL;

	if (!all || asprintf(&path, "%s/%s", all, name) < 0)
		return NULL;
	return realpath(path, NULL);
}

int run_dir_open(const char *name, struct run_dir *run, struct error **err)
{
	_cleanup_free_ char *runs = runs_path(err);
	_cleanup_free_ char *path = NULL;

	*run = RUN_DIR_NONE;
	if (!runs)
		return -1;
	if (strcmp(name, "last") == 0)
		return open_last(run, err);
	if (!strchr(name, '/') && (*name == '.' || strlen(name) > NAME_MAX))
		return error_set(err, ERR_INPUT, "\"%s\" is not a run id", name);
	if (strchr(name, '/') ? !(path = strdup(name)) : asprintf(&path, "%s/%s", runs, name) < 0)
		return error_no_memory(err);
	run->path = realpath(path, NULL);
	if (!run->path && !strchr(name, '/'))
		run->path = baseline_path(name);
	if (!run->path)
		return error_set(err, ERR_MISSING, "run %s does not exist; see: rootlet runs list",
				 name);
	run->id = strdup(strrchr(name, '/') ? strrchr(run->path, '/') + 1 : name);
	if (!run->id || run_directory_open_dir(run, err) < 0 ||
	    faccessat(run->fd, RUN_RECORD, F_OK, 0) < 0) {
		if (run->fd >= 0)
			error_set(err, ERR_MISSING, "%s is not a run: " RUN_RECORD " is missing",
				  run->path);
		run_dir_close(run);
		return -1;
	}
	return 0;
}

int run_dir_resume(const char *name, struct run_dir *run, struct error **err)
{
	if (run_dir_open(name, run, err) < 0)
		return -1;
	if (flock(run->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	run_dir_close(run);
	return error_set(err, ERR_BUSY, "run %s is still in progress", name);
}

bool run_dir_is_own(const struct run_dir *run)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *runs = runs_path(&ignored);
	_cleanup_free_ char *real = runs ? realpath(runs, NULL) : NULL;
	size_t length = real ? strlen(real) : 0;

	return real && strncmp(run->path, real, length) == 0 && run->path[length] == '/' &&
	       strcmp(run->path + length + 1, run->id) == 0;
}

bool run_dir_busy(const struct run_dir *run)
{
	_cleanup_close_ int fd = openat(run->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

int run_dir_remove(const char *id, struct error **err)
{
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;
	_cleanup_free_ char *runs = runs_path(err);
	_cleanup_close_ int fd = -1;
	_cleanup_error_ struct error *ignored = NULL;

	if (!runs)
		return -1;
	fd = open(runs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || strchr(id, '/') || *id == '.')
		return error_set(err, ERR_INPUT, "\"%s\" is not a run id", id);
	if (run_dir_open(id, &run, &ignored) == 0 && run_dir_busy(&run))
		return error_set(err, ERR_BUSY, "run %s is still in progress", id);
	/* Removes only the link if the user chose the results directory. */
	if (dir_remove(fd, id) < 0)
		return error_errno(err, errno == ENOENT ? ERR_MISSING : ERR_SYSTEM,
				   "cannot remove the run %s", id);
	return 0;
}

json_t *run_dir_read(const struct run_dir *run, struct error **err)
{
	_cleanup_free_ char *text = tree_read(run->fd, RUN_RECORD, RECORD_MOST, NULL, err);
	json_t *object = text ? json_loads(text, 0, NULL) : NULL;

	if (text && !json_is_object(object)) {
		json_decref(object);
		error_set(err, ERR_INPUT, "%s/" RUN_RECORD " is damaged", run->path);
		return NULL;
	}
	if (json_integer_value(json_object_get(object, "format")) > RECORD_FORMAT) {
		json_decref(object);
		error_set(err, ERR_REFUSED,
			  "%s/" RUN_RECORD " was written by a newer rootlet: upgrade rootlet",
			  run->path);
		return NULL;
	}
	if (object)
		json_clean(object);
	return object;
}

int run_dir_check_record(const struct run_dir *run, struct error **err)
{
	json_t *record = run_dir_read(run, err);
	int result = record ? 0 : -1;

	json_decref(record);
	return result;
}

int run_dir_write(const struct run_dir *run, const json_t *object, struct error **err)
{
	_cleanup_close_ int fd =
		openat(run->fd, "." RUN_RECORD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	_cleanup_free_ char *text = json_dumps(object, JSON_INDENT(2));

	if (fd < 0 || !text || write_all(fd, text, strlen(text)) < 0 ||
	    write_all(fd, "\n", 1) < 0 ||
	    dir_replace_file(run->fd, "." RUN_RECORD, fd, RUN_RECORD) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" RUN_RECORD, run->path);
	return 0;
}

int run_dir_finish(const struct run_dir *run, const json_t *object, struct error **err)
{
	if (syncfs(run->fd) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s to disk", run->path);
	return run_dir_write(run, object, err);
}

int run_dir_append(const struct run_dir *run, const char *name, const json_t *object,
		   struct error **err)
{
	_cleanup_close_ int fd =
		openat(run->fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	_cleanup_free_ char *text = json_dumps(object, JSON_COMPACT);
	_cleanup_free_ char *line = NULL;
	int length = text ? asprintf(&line, "%s\n", text) : -1;

	if (fd < 0 || length < 0 || write_all(fd, line, (size_t)length) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/%s", run->path, name);
	return 0;
}
