/* frontend/fstests/run_folder.c and results.c: the files of a run are replaced in one step, so that
 * a reader, or a run that is killed, has the old one or the new one, never a part. */
#include "frontend/fstests/run_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/folder.h"
#include "frontend/fstests/results.h"
#include "tap.h"

static char made[] = "/tmp/rootlet-run.XXXXXX";

static void read_open(int fd, char text[static 256])
{
	ssize_t n = pread(fd, text, 255, 0);

	text[n > 0 ? n : 0] = '\0';
}

static int names_in(const char *path)
{
	char command[128];
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

/* WRITE replaces NAME, which has the text BEFORE. */
static void replaced(const struct run_folder *run, const char *name, const char *before,
		     int (*write)(const struct run_folder *run))
{
	int old = openat(run->fd, name, O_RDONLY), count = names_in(run->path), status;
	struct stat first, second;
	char text[256];

	status = write(run);
	read_open(old, text);
	tap_check(status == 0 && strstr(text, before),
		  "%s is replaced: a reader of the old one still has it", name);
	tap_check(fstat(old, &first) == 0 && fstatat(run->fd, name, &second, 0) == 0 &&
			  first.st_ino != second.st_ino,
		  "%s is another file afterwards", name);
	tap_check(names_in(run->path) == count, "%s is replaced: nothing else is left", name);
	close(old);
}

static int write_second(const struct run_folder *run)
{
	json_t *object = json_pack("{s:s}", "state", "second");
	int r = run_folder_finish(run, object, NULL);

	json_decref(object);
	return r;
}

static int write_results(const struct run_folder *run)
{
	struct results results = { 0 };
	struct test_result one = { .section = "", .name = "generic/002" };
	int r = results_add(&results, &one, NULL);

	if (r == 0)
		r = results_write(run->fd, RUN_TESTS, &results, NULL);
	results_clear(&results);
	return r;
}

/* A disk without room: the old file stays. */
static void no_room(struct run_folder *run)
{
	char name[] = "full", text[256];
	int full = open("/dev/full", O_WRONLY), old;

	tap_check(full >= 0 && symlinkat("/dev/full", run->fd, ".run.json") == 0,
		  "%s: a disk on which nothing can be written", name);
	tap_check(write_second(run) < 0, "%s: the failure is reported", name);
	old = openat(run->fd, "run.json", O_RDONLY);
	read_open(old, text);
	tap_check(strstr(text, "second"), "%s: run.json is as it was", name);
	close(old);
	close(full);
}

int main(void)
{
	struct run_folder run = RUN_FOLDER_NONE;
	json_t *first = json_pack("{s:s}", "state", "first");
	/* durable.py looks at what is done there. */
	const char *at = getenv("ROOTLET_RUN_FOLDER");
	char path[256];

	if (!at)
		at = mkdtemp(made);
	if (!at)
		return 1;
	snprintf(path, sizeof(path), "%s/run", at);
	setenv("XDG_STATE_HOME", at, 1);
	tap_check(run_folder_make("ext4", path, &run, NULL) == 0 &&
			  run_folder_write(&run, first, NULL) == 0,
		  "a run");
	replaced(&run, "run.json", "first", write_second);
	write_results(&run);
	replaced(&run, RUN_TESTS, "generic/002", write_results);
	no_room(&run);
	json_decref(first);
	run_folder_close(&run);
	folder_remove(AT_FDCWD, at);
	return tap_done();
}
