/* frontend/fstests/run_directory.c and results.c: the files of a run are replaced atomically, so
 * that a reader or a killed run has either the old or the new file, never a part. */
#include "frontend/fstests/run_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "frontend/fstests/results.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

static char made[SCRATCH_SIZE] = "run";

static void read_open(int fd, char text[static 256])
{
	ssize_t n = pread(fd, text, 255, 0);

	text[n > 0 ? n : 0] = '\0';
}

static int names_in(const char *path)
{
	char command[256];
	FILE *list;
	int count = 0;

	snprintf(command, sizeof(command), "ls -A %s", path);
	list = popen(command, "r");
	for (int c; list && (c = fgetc(list)) != EOF;)
		count += c == '\n';
	if (list)
		pclose(list);
	return count;
}

/* WRITE replaces NAME, which contains BEFORE. */
static void replaced(const struct run_dir *run, const char *name, const char *before,
		     int (*write)(const struct run_dir *run))
{
	int old = openat(run->fd, name, O_RDONLY), count = names_in(run->path), status;
	struct stat first, second;
	char text[256];

	status = write(run);
	read_open(old, text);
	tap_check(status == 0 && strstr(text, before),
		  "%s is replaced: a reader still has the old file", name);
	tap_check(fstat(old, &first) == 0 && fstatat(run->fd, name, &second, 0) == 0 &&
			  first.st_ino != second.st_ino,
		  "%s is a new file afterwards", name);
	tap_check(names_in(run->path) == count, "%s is replaced: nothing else remains", name);
	close(old);
}

static int write_second(const struct run_dir *run)
{
	json_t *object = json_pack("{s:s}", "state", "second");
	int r = run_dir_finish(run, object, NULL);

	json_decref(object);
	return r;
}

static int write_results(const struct run_dir *run)
{
	struct results results = { 0 };
	struct test_result one = { .section = "", .name = "generic/002" };
	int r = results_add(&results, &one, NULL);

	if (r == 0)
		r = results_write(run->fd, RUN_TESTS, &results, NULL);
	results_clear(&results);
	return r;
}

/* On a full disk, the old file stays. */
static void no_room(struct run_dir *run)
{
	char name[] = "full", text[256];
	int full = open("/dev/full", O_WRONLY), old;

	tap_check(full >= 0 && symlinkat("/dev/full", run->fd, ".run.json") == 0, "%s: a full disk",
		  name);
	tap_check(write_second(run) < 0, "%s: the failure is reported", name);
	old = openat(run->fd, "run.json", O_RDONLY);
	read_open(old, text);
	tap_check(strstr(text, "second"), "%s: run.json is unchanged", name);
	close(old);
	close(full);
}

/* A truncated last line does not count. */
static void check_cut(const struct run_dir *run)
{
	static const char lines[] = "{\"name\":\"generic/001\",\"status\":\"pass\"}\n"
				    "{\"name\":\"generic/002\",\"status\":\"odd\"}\n"
				    "no JSON\n"
				    "{\"section\":\"a\",\"name\":\"generic/003\","
				    "\"status\":\"fail\"}\n"
				    "{\"section\":\"b\",\"name\":\"generic/003\","
				    "\"status\":\"pass\"}\n"
				    "{\"name\":\"generic/004\",\"status\":\"pass\"}";
	int fd = openat(run->fd, "cut.jsonl", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct results results;
	const struct test_result *found;

	tap_check(fd >= 0 && write_all(fd, lines, strlen(lines)) == 0 &&
			  results_read(run->fd, "cut.jsonl", &results, NULL) == 0 &&
			  results.count == 3,
		  "complete and valid lines are results");
	found = results_find(&results, "b", "generic/003");
	tap_check(found && found->status == TEST_PASS && !results_find(&results, "", "generic/003"),
		  "a test has its section");
	tap_check(results_count(&results, TEST_PASS) == 2 &&
			  results_count(&results, TEST_FAIL) == 1,
		  "the results are counted");
	results_clear(&results);
	unlinkat(run->fd, "cut.jsonl", 0);
	close(fd);
}

/* Runs in the state directory, and one elsewhere by --results. */
static void check_runs(const char *results)
{
	_cleanup_error_ struct error *err = NULL;
	struct run_dir runs[2], found = RUN_DIR_NONE;
	json_t *record = json_pack("{s:s}", "state", "x");
	char **ids = NULL;
	size_t count = 0;

	tap_check(run_dir_check(results, &err) == -1 && err && err->code == ERR_EXISTS,
		  "a directory that is not empty is refused for results");
	error_free(&err);
	tap_check(run_dir_make("ext4", results, &found, &err) == -1 && err,
		  "a refused directory is unchanged");
	error_free(&err);
	for (size_t i = 0; i < 2; i++)
		tap_check(run_dir_make("xfs", NULL, &runs[i], NULL) == 0 &&
				  run_dir_write(&runs[i], record, NULL) == 0,
			  "runs are created in the state directory");
	tap_check(strcmp(runs[0].id, runs[1].id) != 0, "each run has a different id");
	tap_check(run_dir_list(&ids, &count, NULL) == 0 && count == 3 &&
			  strcmp(ids[0], ids[1]) < 0 && strcmp(ids[1], ids[2]) < 0,
		  "all runs are listed in order");
	for (size_t i = 0; i < count; i++)
		free(ids[i]);
	free(ids);
	tap_check(run_dir_busy(&runs[1]) && run_dir_remove(runs[1].id, &err) == -1 && err &&
			  err->code == ERR_BUSY && access(runs[1].path, F_OK) == 0,
		  "a run in progress is not removed");
	error_free(&err);
	run_dir_close(&runs[0]);
	tap_check(run_dir_open("last", &found, NULL) == 0 && !run_dir_busy(&found) == 0,
		  "the last run is the newest");
	run_dir_close(&found);
	run_dir_close(&runs[1]);
	tap_check(run_dir_remove("../run", &err) == -1 && err && err->code == ERR_INPUT,
		  "an invalid id is refused");
	error_free(&err);
	tap_check(run_dir_open(".hidden", &found, &err) == -1 && err && err->code == ERR_INPUT,
		  "an invalid id is not opened");
	error_free(&err);
	tap_check(run_dir_open("nothing", &found, &err) == -1 && err && err->code == ERR_MISSING,
		  "an unknown run is reported as missing");
	json_decref(record);
}

int main(void)
{
	struct run_dir run = RUN_DIR_NONE;
	json_t *first = json_pack("{s:s}", "state", "first");
	/* durable.py and power_guest.py check the system calls made there. */
	const char *at = getenv("ROOTLET_RUN_DIR");
	bool ours = !at;
	char path[256];

	if (!at)
		at = scratch_make(made);
	if (!at)
		return 1;
	snprintf(path, sizeof(path), "%s/run", at);
	setenv("XDG_STATE_HOME", at, 1);
	tap_check(run_dir_make("ext4", path, &run, NULL) == 0 &&
			  run_dir_write(&run, first, NULL) == 0,
		  "a run");
	replaced(&run, "run.json", "first", write_second);
	write_results(&run);
	replaced(&run, RUN_TESTS, "generic/002", write_results);
	no_room(&run);
	json_decref(first);
	if (ours) {
		check_cut(&run);
		run_dir_close(&run);
		check_runs(path);
		dir_remove(AT_FDCWD, at);
	}
	run_dir_close(&run);
	return tap_done();
}
