#include "frontend/fstests/baselines.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/tree.h"
#include "lib/error_wrap.h"

#define FILE_MOST (64u << 20)
#define NAME_LONGEST 100

static bool baseline_name_valid(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._-";
	size_t length = strlen(name);

	return length && length <= NAME_LONGEST && strspn(name, plain) == length && *name != '.' &&
	       *name != '-' && strcmp(name, "last") != 0;
}

/* Refuses a name that run_dir_open() would take for that of a run. */
static int baseline_check_name(const char *name, struct error **err)
{
	_cleanup_free_ char *relative = NULL;
	_cleanup_free_ char *path = NULL;

	if (!baseline_name_valid(name))
		return error_set(err, ERR_INPUT,
				 "\"%.120s\" cannot be the name of a baseline: use at most %d "
				 "letters, digits and ._-, and a letter or digit first",
				 name, NAME_LONGEST);
	if (asprintf(&relative, "runs/%s", name) < 0) {
		relative = NULL;
		return error_no_memory(err);
	}
	path = paths_state(relative, err);
	if (!path)
		return -1;
	if (access(path, F_OK) == 0)
		return error_set(err, ERR_INPUT, "\"%s\" is the id of a run: use another name",
				 name);
	return 0;
}

/* Copies a file that a run may lack. */
static int baseline_copy(int from, int to, const char *file, bool needed, struct error **err)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;

	text = tree_read(from, file, FILE_MOST, &size, &why);
	if (!text && (needed || why->code != ERR_MISSING)) {
		*err = STEAL_PTR(why);
		return -1;
	}
	if (text && dir_write_file(to, file, text, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s", file);
	return 0;
}

static int baseline_fill(const struct run_dir *run, int parent, const char *draft,
			 struct error **err)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(parent, draft, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", draft);
	fd = openat(parent, draft, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", draft);
	if (baseline_copy(run->fd, fd, RUN_RECORD, true, err) < 0)
		return -1;
	return baseline_copy(run->fd, fd, RUN_TESTS, false, err);
}

int baseline_save(const struct run_dir *run, const char *name, struct error **err)
{
	_cleanup_free_ char *parent = paths_state(RUN_BASELINES, err);
	_cleanup_close_ int fd = -1;
	char draft[NAME_LONGEST + 32];
	int result;

	if (!parent || baseline_check_name(name, err) < 0)
		return -1;
	if (run_dir_busy(run))
		return error_set(err, ERR_BUSY, "run %s is still in progress", run->id);
	if (run_dir_check_record(run, err) < 0)
		return -1;
	if (dir_make(parent) < 0 || (fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", parent);
	snprintf(draft, sizeof(draft), ".%s.%d", name, (int)getpid());
	result = baseline_fill(run, fd, draft, err);
	if (result == 0 && dir_publish(fd, draft, name) < 0)
		result = error_errno(err, ERR_SYSTEM, "cannot write %s/%s", parent, name);
	/* After an exchange, this is the earlier one. */
	dir_remove(fd, draft);
	return result < 0 ? error_wrap(err, "cannot save the baseline %s", name) : 0;
}

static json_t *baseline_describe(const char *name)
{
	static const char *const kept[] = { "run",    "began",		"status",
					    "fstype", "kernel_version", "counts" };
	_cleanup_(run_dir_close) struct run_dir run = RUN_DIR_NONE;
	_cleanup_error_ struct error *ignored = NULL;
	json_t *object = json_pack("{s:o}", "name", json_text(name)), *record = NULL;

	if (run_dir_open(name, &run, &ignored) == 0)
		record = run_dir_read(&run, &ignored);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		json_object_set(object, kept[i], json_object_get(record, kept[i]));
	json_decref(record);
	return object;
}

static int is_baseline(const struct dirent *entry)
{
	return baseline_name_valid(entry->d_name);
}

json_t *baselines_list(struct error **err)
{
	_cleanup_free_ char *path = paths_state(RUN_BASELINES, err);
	struct dirent **entries = NULL;
	json_t *list;
	int count = path ? scandir(path, &entries, is_baseline, alphasort) : -1;

	if (!path)
		return NULL;
	if (count < 0 && errno != ENOENT) {
		error_errno(err, ERR_SYSTEM, "cannot read %s", path);
		return NULL;
	}
	list = json_array();
	for (int i = 0; i < count; i++) {
		json_array_append_new(list, baseline_describe(entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	return list;
}
