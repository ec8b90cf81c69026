#include "frontend/fstests/coverage.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/cli/directory.h"
#include "frontend/cli/text.h"
#include "frontend/fstests/confined_tool.h"

#define WORK "gcov.work" /* in the run's directory, while lcov runs */
#define INFO "gcov.info"
#define TARS_MOST 1000
#define SECONDS_MOST 3600
#define WORK_IN ((LANDLOCK_FILES_1 & ~LANDLOCK_DEVICES) | LANDLOCK_REFER | LANDLOCK_TRUNCATE)

/* Arguments: the work directory, the build directory, the number of archives. lcov wants each
 * object's notes beside its counts; the guest's archive has a link there, which is not to be
 * trusted. */
static const char script[] =
	"command -v lcov >/dev/null || exit 127\n"
	"cd \"$1\" || exit 1\n"
	"n=0\n"
	"while [ $n -lt \"$3\" ]; do\n"
	"	n=$((n + 1))\n"
	"	mkdir $n && tar -x -f ../gcov-$n.tar -C $n --no-same-owner --no-same-permissions "
	"--wildcards '*.gcda' || exit 1\n"
	"done\n"
	"find . -type f -name '*.gcda' | while read -r file; do\n"
	"	notes=${file#./*/}\n"
	"	ln -s \"/${notes%.gcda}.gcno\" \"${file%.gcda}.gcno\"\n"
	"done\n"
	"lcov -q -c -d . -b \"$2\" -o " INFO "\n";

/* The guest chose the names; only a regular file becomes one of the run's. */
static void take_from(const struct run_dir *run, int results, struct coverage *c)
{
	int fd = openat(results, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	while (entries && (entry = readdir(entries)) && c->tars < TARS_MOST) {
		char name[32];
		struct stat st;

		if (!text_has_prefix(entry->d_name, "gcov-") ||
		    fstatat(results, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		snprintf(name, sizeof(name), "gcov-%u.tar", c->tars + 1);
		c->tars += renameat(results, entry->d_name, run->fd, name) == 0;
	}
	if (entries)
		closedir(entries);
	else
		closep(&fd);
}

static void coverage_take(const struct run_dir *run, struct coverage *c)
{
	int fd = openat(run->fd, RUN_RESULTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!entries) {
		closep(&fd);
		return;
	}
	take_from(run, fd, c);
	while ((entry = readdir(entries))) {
		int guest = text_has_prefix(entry->d_name, "guest-")
				    ? openat(fd, entry->d_name,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				    : -1;

		if (guest >= 0)
			take_from(run, guest, c);
		closep(&guest);
	}
	closedir(entries);
}

/* The last line that lcov printed. */
static char *read_reason(int log, char *text, size_t size)
{
	off_t end = lseek(log, 0, SEEK_END);
	off_t from = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t length = pread(log, text, size - 1, from);
	char *line;

	text[length < 0 ? 0 : length] = '\0';
	while (*text && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	line = strrchr(text, '\n');
	return text_clean(line ? line + 1 : text);
}

/* gcov's parser reads what a hostile guest may have written. lcov's messages go to a file. */
static int run_lcov(const struct run_dir *run, const char *build, unsigned int tars,
		    struct error **err)
{
	_cleanup_close_ int log = openat(run->fd, WORK, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char work[PATH_MAX], count[16], text[512];
	const char *argv[] = { "/bin/sh", "-c", script, "sh", work, build, count, NULL };
	const struct confined_tool tool = {
		.argv = argv,
		.places = { { "/etc", -1, LANDLOCK_READ },
			    { "/dev/null", -1,
			      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE },
			    { run->path, -1, LANDLOCK_READ },
			    { build, -1, LANDLOCK_READ },
			    { work, -1, WORK_IN } },
		.work = work,
		.seconds = SECONDS_MOST,
	};
	int status;

	snprintf(count, sizeof(count), "%u", tars);
	snprintf(work, sizeof(work), "%s/" WORK, run->path);
	if (log < 0)
		return error_errno(err, ERR_SYSTEM, "cannot start lcov");
	status = confined_tool_run(&tool, (int[]){ -1, log, log }, err);
	if (status < 0)
		return -1;
	if (status == 127)
		return error_set(err, ERR_MISSING, "lcov is missing; fix: apt install lcov");
	if (status != 0)
		return error_set(err, ERR_SYSTEM, "lcov failed (%d): %s", status,
				 read_reason(log, text, sizeof(text)));
	if (renameat(run->fd, WORK "/" INFO, run->fd, INFO) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write " INFO);
	return 0;
}

int coverage_collect(const struct run_dir *run, const char *build, struct coverage *coverage,
		     struct error **err)
{
	int result;

	*coverage = (struct coverage){ 0 };
	coverage_take(run, coverage);
	if (!coverage->tars)
		return error_set(
			err, ERR_SYSTEM,
			"no guest told what its kernel executed: each crashed or was stopped");
	if (!build)
		return error_set(err, ERR_INPUT, "lcov needs the kernel's build directory");
	if (mkdirat(run->fd, WORK, 0700) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot make " WORK);
	result = run_lcov(run, build, coverage->tars, err);
	dir_remove(run->fd, WORK);
	coverage->info = result == 0;
	return result;
}
