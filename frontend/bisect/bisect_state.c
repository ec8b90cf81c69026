#include "frontend/bisect/bisect_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/tree.h"
#include "lib/names.h"
#include "lib/write_all.h"

#define RECORD "bisect.json"
#define STEPS "steps.jsonl"
#define FILE_MOST (16u << 20)
#define SAME_SECOND 100
#define LAST "last"

void bisect_state_close(struct bisect_state *s)
{
	json_decref(s->record);
	free(s->id);
	free(s->path);
	closep(&s->fd);
	*s = BISECT_STATE_NONE;
}

char *bisect_state_path(const struct bisect_state *s, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", s->path, name) < 0 ? NULL : path;
}

static int bisect_state_lock(const struct bisect_state *s, struct error **err)
{
	if (flock(s->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(err, ERR_BUSY, "bisect %s is under way in another process", s->id);
	return error_errno(err, ERR_SYSTEM, "cannot lock %s", s->path);
}

static int bisect_state_enter(struct bisect_state *s, bool lock, struct error **err)
{
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 && errno == ENOENT)
		return error_set(err, ERR_MISSING, "there is no bisect %.80s in %s", s->id,
				 s->path);
	if (s->fd < 0)
		return error_errno(err, ERR_SYSTEM, "cannot open %s", s->path);
	return lock ? bisect_state_lock(s, err) : 0;
}

int bisect_state_make(struct bisect_state *s, struct error **err)
{
	_cleanup_free_ char *all = paths_state("bisects", err);
	time_t seconds = time(NULL);
	char when[32];
	struct tm t;

	if (!all)
		return -1;
	if (dir_make(all) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make %s", all);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", localtime_r(&seconds, &t));
	for (int number = 1; number < SAME_SECOND; number++) {
		bisect_state_close(s);
		if (asprintf(&s->id, number > 1 ? "%s-%d" : "%s", when, number) < 0 ||
		    asprintf(&s->path, "%s/%s", all, s->id) < 0)
			return error_no_memory(err);
		if (mkdir(s->path, 0700) == 0)
			return bisect_state_enter(s, true, err);
		if (errno != EEXIST)
			break;
	}
	return error_errno(err, ERR_SYSTEM, "cannot make %s", s->path);
}

/* Whether RECORD has all that the other functions take for granted. */
static bool bisect_state_is_whole(const json_t *record)
{
	static const char *const texts[] = { "tree", "good",	  "bad", "program",
					     "make", "directory", NULL };
	const json_t *words = json_object_get(record, "words");

	for (const char *const *key = texts; *key; key++)
		if (!json_is_string(json_object_get(record, *key)))
			return false;
	for (size_t i = 0; i < json_array_size(words); i++)
		if (!json_is_string(json_array_get(words, i)))
			return false;
	return true;
}

/* The id of the newest bisect in the directory ALL that has a record: ids are times. */
static char *bisect_state_newest(const char *all, struct error **err)
{
	DIR *directory = opendir(all);
	const struct dirent *entry;
	char *newest = NULL, record[sizeof(entry->d_name) + sizeof("/" RECORD)];

	if (!directory && errno != ENOENT) {
		error_errno(err, ERR_SYSTEM, "cannot read %s", all);
		return NULL;
	}
	while (directory && (entry = readdir(directory))) {
		snprintf(record, sizeof(record), "%s/" RECORD, entry->d_name);
		if (entry->d_name[0] == '.' || (newest && strverscmp(entry->d_name, newest) <= 0) ||
		    faccessat(dirfd(directory), record, F_OK, 0) < 0)
			continue;
		free(newest);
		newest = strdup(entry->d_name);
	}
	if (directory)
		closedir(directory);
	if (!newest)
		error_set(err, ERR_MISSING, "no bisects yet; see: rootlet bisect --help");
	return newest;
}

int bisect_state_open(struct bisect_state *s, const char *id, bool lock, struct error **err)
{
	_cleanup_free_ char *all = paths_state("bisects", err), *text = NULL;

	if (!all)
		return -1;
	if (!valid_rootfs_name(id))
		return error_set(err, ERR_INPUT, "there is no bisect \"%.80s\"", id);
	s->id = strcmp(id, LAST) == 0 ? bisect_state_newest(all, err) : strdup(id);
	if (!s->id || asprintf(&s->path, "%s/%s", all, s->id) < 0)
		return error_no_memory(err); /* unless ERR has another reason */
	if (bisect_state_enter(s, lock, err) < 0)
		return -1;
	text = tree_read(s->fd, RECORD, FILE_MOST, NULL, err);
	s->record = text ? json_loads(text, 0, NULL) : NULL;
	if (text && !bisect_state_is_whole(s->record))
		return error_set(err, ERR_INPUT, "%s/" RECORD " is damaged", s->path);
	return text ? 0 : -1;
}

int bisect_state_write(const struct bisect_state *s, struct error **err)
{
	_cleanup_free_ char *text = json_dumps(s->record, JSON_INDENT(2));

	if (!text)
		return error_no_memory(err);
	if (dir_write_file(s->fd, RECORD, text, strlen(text)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" RECORD, s->path);
	return 0;
}

const char *bisect_state_text(const struct bisect_state *s, const char *key)
{
	return json_string_value(json_object_get(s->record, key));
}

int bisect_state_add_step(const struct bisect_state *s, const json_t *step, struct error **err)
{
	_cleanup_close_ int fd =
		openat(s->fd, STEPS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	_cleanup_free_ char *text = json_dumps(step, JSON_COMPACT), *line = NULL;

	if (!text || asprintf(&line, "%s\n", text) < 0)
		return error_no_memory(err);
	if (fd < 0 || write_all(fd, line, strlen(line)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" STEPS, s->path);
	return 0;
}

json_t *bisect_state_steps(const struct bisect_state *s, struct error **err)
{
	_cleanup_error_ struct error *missing = NULL;
	_cleanup_free_ char *text = tree_read(s->fd, STEPS, FILE_MOST, NULL, &missing);
	json_t *steps = json_array();
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n"))) {
		json_t *step = *line ? json_loads(line, 0, NULL) : NULL;

		/* A line that was cut off is of a step that did not end. */
		if (step)
			json_array_append_new(steps, step);
	}
	if (!steps)
		error_no_memory(err);
	return steps;
}
