/* frontend/cluster/claims.c: who has which batch, whatever the others do and the file system says.
 * The calls that --wrap replaces (tests/meson.build) fail on demand. */
#include "frontend/cluster/claims.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/directory.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

#define TEXT_SIZE 4096
#define LONG "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789" /* 64 */

static char made[SCRATCH_SIZE] = "claims";
static int dir = -1;

/* --- faults --------------------------------------------------------------------------------- */

static struct {
	bool lies;		 /* the next rename succeeds and reports ENOENT */
	int rename_error;	 /* of the next rename, which does nothing */
	int stale;		 /* so many opens of a directory fail with ESTALE */
	int syncs;		 /* the fsync after so many fails with ENOSPC; 0: none */
	void (*meanwhile)(void); /* before the next rename */
} fault;

int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	void (*meanwhile)(void) = fault.meanwhile;
	int result;

	fault.meanwhile = NULL;
	if (meanwhile)
		meanwhile();
	if (fault.rename_error) {
		errno = fault.rename_error;
		fault.rename_error = 0;
		return -1;
	}
	result = __real_renameat(from, old, to, new);
	if (!fault.lies)
		return result;
	fault.lies = false;
	errno = ENOENT;
	return -1;
}

int __real_openat64(int from, const char *name, int flags, ...);
int __wrap_openat64(int from, const char *name, int flags, ...);
int __wrap_openat64(int from, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	if (!fault.stale || !(flags & O_DIRECTORY))
		return __real_openat64(from, name, flags, mode);
	fault.stale--;
	errno = ESTALE;
	return -1;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	if (!fault.syncs || --fault.syncs)
		return __real_fsync(fd);
	errno = ENOSPC;
	return -1;
}

/* --- directories ---------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

/* Makes the directories with FILES, paths separated by blanks. */
static void begin(const char *files)
{
	char text[TEXT_SIZE], *rest = NULL;

	memset(&fault, 0, sizeof(fault));
	if (dir >= 0)
		close(dir);
	dir_remove(AT_FDCWD, made);
	if (mkdir(made, 0700) < 0 || (dir = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    claims_make(dir, NULL, NULL) < 0)
		abort();
	snprintf(text, sizeof(text), "%s", files);
	for (char *p = strtok_r(text, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
		put(p, p);
}

/* All files below the directory, sorted. */
static void all_files(char out[static TEXT_SIZE])
{
	char command[256], line[512];
	FILE *list;

	snprintf(command, sizeof(command),
		 "cd %s && find * .d* ! -type d 2>/dev/null | LC_ALL=C sort", made);
	list = popen(command, "r");
	*out = '\0';
	while (list && fgets(line, sizeof(line), list))
		snprintf(out + strlen(out), TEXT_SIZE - strlen(out), "%s%.*s", *out ? " " : "",
			 (int)strcspn(line, "\n"), line);
	if (list)
		pclose(list);
}

/* --- names ---------------------------------------------------------------------------------- */

static const struct {
	const char *claim, *name;
	enum claim_place place;
	bool counts;
} names[] = {
	{ "a batch", "000001.g1.l0", CLAIM_QUEUE, true },
	{ "the largest numbers", "999999999.g999999999.l999999999", CLAIM_QUEUE, true },
	{ "a number beyond six digits", "1000000.g1.l0", CLAIM_QUEUE, true },
	{ "a number that is too large", "1000000000.g1.l0", CLAIM_QUEUE, false },
	{ "no word of it", "x", CLAIM_QUEUE, false },
	{ "the mark", "all", CLAIM_QUEUE, false },
	{ "no losses", "000001.g1", CLAIM_QUEUE, false },
	{ "an empty number", ".g1.l0", CLAIM_QUEUE, false },
	{ "too few digits", "00001.g1.l0", CLAIM_QUEUE, false },
	{ "too many digits", "0000001.g1.l0", CLAIM_QUEUE, false },
	{ "a zero in the generation", "000001.g01.l0", CLAIM_QUEUE, false },
	{ "a zero in the losses", "000001.g1.l00", CLAIM_QUEUE, false },
	{ "generation 0", "000001.g0.l0", CLAIM_QUEUE, false },
	{ "a blank", " 00001.g1.l0", CLAIM_QUEUE, false },
	{ "a blank within", "000001.g 1.l0", CLAIM_QUEUE, false },
	{ "a plus", "+00001.g1.l0", CLAIM_QUEUE, false },
	{ "a plus within", "000001.g1.l+0", CLAIM_QUEUE, false },
	{ "a minus", "-00001.g1.l0", CLAIM_QUEUE, false },
	{ "a minus within", "000001.g-1.l0", CLAIM_QUEUE, false },
	{ "a dot at the end", "000001.g1.l0.", CLAIM_QUEUE, false },
	{ "a task in the queue", "000001.g1.l0.a", CLAIM_QUEUE, false },
	{ "more at the end", "000001.g1.l0x", CLAIM_QUEUE, false },
	{ "hidden", ".000001.g1.l0", CLAIM_QUEUE, false },
	{ "a task", "000001.g1.l0.a", CLAIM_CLAIMS, true },
	{ "a task that is done", "000001.g2.l3.a_B-9", CLAIM_DONE, true },
	{ "no task", "000001.g1.l0", CLAIM_CLAIMS, false },
	{ "an empty task", "000001.g1.l0.", CLAIM_CLAIMS, false },
	{ "a dot in the task", "000001.g1.l0.a.b", CLAIM_CLAIMS, false },
	{ "dots for a task", "000001.g1.l0...", CLAIM_CLAIMS, false },
	{ "a blank in the task", "000001.g1.l0.a b", CLAIM_DONE, false },
	{ "another alphabet", "000001.g1.l0.\xc3\xa4", CLAIM_CLAIMS, false },
	{ "the longest task", "000001.g1.l0." LONG, CLAIM_CLAIMS, false },
};

static void check_names(void)
{
	static const char *const places[] = { "queue", "claims", "done" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct claim *list = NULL;
		char path[256];
		size_t count = 99;
		bool counts;

		begin("");
		snprintf(path, sizeof(path), "%s/%s", places[names[i].place], names[i].name);
		put(path, "");
		counts = claims_list(dir, names[i].place, &list, &count, NULL) == 0 && count == 1;
		tap_check(counts == names[i].counts && (counts || (count == 0 && !list)),
			  "%s: \"%s\" %s", names[i].claim, names[i].name,
			  names[i].counts ? "is a batch" : "is ignored");
		free(list);
	}
}

static void check_tasks(void)
{
	static const char *const tasks[] = {
		"", ".", "..", "a.b", "a/b", "../a", "a b", "a\n", LONG
	};
	char longest[] = LONG, *text = NULL;
	struct claim claim;

	for (size_t i = 0; i < sizeof(tasks) / sizeof(*tasks); i++) {
		struct error *err = NULL;
		char files[TEXT_SIZE];
		int result;

		begin("queue/000001.g1.l0");
		result = claims_take(dir, tasks[i], &claim, &text, &err);
		all_files(files);
		tap_check(result < 0 && err->code == ERR_INPUT &&
				  tap_same(files, "queue/000001.g1.l0"),
			  "no task has the name \"%s\"",
			  *tasks[i] == 'a' && tasks[i][1] == '\n' ? "a\\n" : tasks[i]);
		error_free(&err);
	}
	longest[sizeof(longest) - 2] = '\0';
	begin("queue/000001.g1.l0");
	tap_check(claims_take(dir, longest, &claim, &text, NULL) == 1 &&
			  claims_finish(dir, &claim, NULL) == 1 && tap_same(claim.task, longest),
		  "a task may have a name of 63 characters");
	free(text);
}

/* --- moves ---------------------------------------------------------------------------------- */

/* Steps:
 *
 *   take:TASK=NAME       takes the batch that had this name in the queue; -: none; !CODE: fails
 *   finish:NAME=RESULT   and return, lose: of a name in claims; 1, 0 or !CODE
 *   lie, ENOENT, ENOSPC  what the next rename does: see above
 *   stale, gone          the next two opens of a directory fail with ESTALE, or all do
 *   rmdir:PLACE          removes the directory */
static const struct {
	const char *claim, *before, *steps, *after;
} moves[] = {
	{ "an empty queue has nothing", "", "take:a=-", "" },
	{ "the lowest number comes first",
	  "queue/000010.g1.l0 queue/000002.g3.l1 queue/000003.g1.l0",
	  "take:a=000002.g3.l1 take:b=000003.g1.l0 take:a=000010.g1.l0 take:a=-",
	  "claims/000002.g3.l1.a claims/000003.g1.l0.b claims/000010.g1.l0.a" },
	{ "seven digits come after six", "queue/1000000.g1.l0 queue/999999.g1.l0",
	  "take:a=999999.g1.l0", "claims/999999.g1.l0.a queue/1000000.g1.l0" },
	{ "other names stay in the queue", "queue/x queue/000001.g1 queue/+00001.g1.l0 queue/all",
	  "take:a=-", "queue/+00001.g1.l0 queue/000001.g1 queue/all queue/x" },
	{ "a task can have several", "queue/000001.g1.l0 queue/000002.g1.l0",
	  "take:a=000001.g1.l0 take:a=000002.g1.l0 finish:000002.g1.l0.a=1",
	  "claims/000001.g1.l0.a done/000002.g1.l0.a" },
	{ "finished", "claims/000001.g1.l0.a", "finish:000001.g1.l0.a=1", "done/000001.g1.l0.a" },
	{ "finished again: it still is", "claims/000001.g1.l0.a",
	  "finish:000001.g1.l0.a=1 finish:000001.g1.l0.a=1", "done/000001.g1.l0.a" },
	{ "nobody finishes what another task has", "claims/000001.g1.l0.a",
	  "finish:000001.g1.l0.b=0", "claims/000001.g1.l0.a" },
	{ "returned: the next generation, no loss", "claims/000001.g1.l1.a",
	  "return:000001.g1.l1.a=1 take:b=000001.g2.l1", "claims/000001.g2.l1.b" },
	{ "lost: the next generation, one loss", "claims/000001.g7.l1.a", "lose:000001.g7.l1.a=1",
	  "queue/000001.g8.l2" },
	{ "lost, then finished: too late", "claims/000001.g1.l0.a",
	  "lose:000001.g1.l0.a=1 finish:000001.g1.l0.a=0", "queue/000001.g2.l1" },
	{ "lost and taken again, then finished: too late", "claims/000001.g1.l0.a",
	  "lose:000001.g1.l0.a=1 take:b=000001.g2.l1 finish:000001.g1.l0.a=0 "
	  "finish:000001.g2.l1.b=1",
	  "done/000001.g2.l1.b" },
	{ "lost and taken again by the same task, then finished: the second one",
	  "claims/000001.g1.l0.a",
	  "lose:000001.g1.l0.a=1 take:a=000001.g2.l1 finish:000001.g1.l0.a=0 "
	  "finish:000001.g2.l1.a=1",
	  "done/000001.g2.l1.a" },
	{ "lost, then returned: too late", "claims/000001.g1.l0.a",
	  "lose:000001.g1.l0.a=1 return:000001.g1.l0.a=0", "queue/000001.g2.l1" },
	{ "returned, then lost: no loss", "claims/000001.g1.l0.a",
	  "return:000001.g1.l0.a=1 lose:000001.g1.l0.a=0", "queue/000001.g2.l0" },
	{ "finished, then lost: no loss", "claims/000001.g1.l0.a",
	  "finish:000001.g1.l0.a=1 lose:000001.g1.l0.a=0", "done/000001.g1.l0.a" },
	{ "finished, then returned: it stays", "claims/000001.g1.l0.a",
	  "finish:000001.g1.l0.a=1 return:000001.g1.l0.a=0", "done/000001.g1.l0.a" },
	{ "lost twice by two watchers: one loss", "claims/000001.g1.l0.a",
	  "lose:000001.g1.l0.a=1 lose:000001.g1.l0.a=1", "queue/000001.g2.l1" },
	{ "lost twice, and taken in between: it stays with its task", "claims/000001.g1.l0.a",
	  "lose:000001.g1.l0.a=1 take:b=000001.g2.l1 lose:000001.g1.l0.a=0",
	  "claims/000001.g2.l1.b" },
	{ "the third loss is the end", "claims/000001.g4.l2.a", "lose:000001.g4.l2.a=1 take:b=-",
	  "done/000001.g4.l3.a" },
	{ "the third loss, then finished: too late", "claims/000001.g4.l2.a",
	  "lose:000001.g4.l2.a=1 finish:000001.g4.l2.a=0", "done/000001.g4.l3.a" },
	{ "finished, then the third loss: it is finished", "claims/000001.g4.l2.a",
	  "finish:000001.g4.l2.a=1 lose:000001.g4.l2.a=0", "done/000001.g4.l2.a" },
	{ "three losses of three tasks", "queue/000001.g1.l0",
	  "take:a=000001.g1.l0 lose:000001.g1.l0.a=1 take:b=000001.g2.l1 lose:000001.g2.l1.b=1 "
	  "take:c=000001.g3.l2 lose:000001.g3.l2.c=1 take:d=-",
	  "done/000001.g3.l3.c" },
	{ "any number of returns is no loss", "claims/000001.g9.l2.a",
	  "return:000001.g9.l2.a=1 take:b=000001.g10.l2 return:000001.g10.l2.b=1",
	  "queue/000001.g11.l2" },

	{ "taken, though rename() says no", "queue/000001.g1.l0 queue/000002.g1.l0",
	  "lie take:a=000001.g1.l0", "claims/000001.g1.l0.a queue/000002.g1.l0" },
	{ "finished, though rename() says no", "claims/000001.g1.l0.a",
	  "lie finish:000001.g1.l0.a=1", "done/000001.g1.l0.a" },
	{ "returned, though rename() says no", "claims/000001.g1.l0.a",
	  "lie return:000001.g1.l0.a=1", "queue/000001.g2.l0" },
	{ "lost, though rename() says no", "claims/000001.g1.l0.a", "lie lose:000001.g1.l0.a=1",
	  "queue/000001.g2.l1" },
	{ "lost for the third time, though rename() says no", "claims/000001.g4.l2.a",
	  "lie lose:000001.g4.l2.a=1", "done/000001.g4.l3.a" },
	{ "another task was faster: the next batch", "queue/000001.g1.l0 queue/000002.g1.l0",
	  "ENOENT take:a=000002.g1.l0", "claims/000002.g1.l0.a queue/000001.g1.l0" },
	{ "other tasks were faster with all of them: looks again", "queue/000001.g1.l0",
	  "ENOENT take:a=000001.g1.l0", "claims/000001.g1.l0.a" },
	{ "no space: nothing is taken", "queue/000001.g1.l0", "ENOSPC take:a=!7",
	  "queue/000001.g1.l0" },
	{ "no space: nothing is finished", "claims/000001.g1.l0.a",
	  "ENOSPC finish:000001.g1.l0.a=!7", "claims/000001.g1.l0.a" },
	{ "a stale handle is an error", "claims/000001.g1.l0.a", "ESTALE lose:000001.g1.l0.a=!9",
	  "claims/000001.g1.l0.a" },
	{ "a queue that was replaced just then is read again", "queue/000001.g1.l0",
	  "stale take:a=000001.g1.l0", "claims/000001.g1.l0.a" },
	{ "a place that was replaced just then is asked again", "claims/000001.g1.l0.a",
	  "stale lie finish:000001.g1.l0.a=1", "done/000001.g1.l0.a" },
	{ "a queue that stays stale is an error", "queue/000001.g1.l0", "gone take:a=!9",
	  "queue/000001.g1.l0" },
	{ "a place that stays stale is an error", "claims/000001.g1.l0.a",
	  "gone ENOENT finish:000001.g1.l0.a=!9", "claims/000001.g1.l0.a" },
	{ "a queue that is gone is an error", "", "rmdir:queue take:a=!9", "" },
	{ "claims that are gone are an error", "queue/000001.g1.l0", "rmdir:claims take:a=!9",
	  "queue/000001.g1.l0" },
	{ "finishing is an error if all is gone", "",
	  "rmdir:queue rmdir:claims rmdir:done finish:000001.g1.l0.a=!9", "" },
	{ "returning is an error if all is gone", "",
	  "rmdir:queue rmdir:claims rmdir:done return:000001.g1.l0.a=!9", "" },
};

static void claim_of(const char *name, struct claim *c)
{
	*c = (struct claim){ 0 };
	sscanf(name, "%u.g%u.l%u.%63[^=]", &c->number, &c->generation, &c->losses, c->task);
}

static void show(int result, const struct error *err, char seen[static 64])
{
	if (result < 0)
		snprintf(seen, 64, "!%d", err ? (int)err->code : -1);
	else
		snprintf(seen, 64, "%d", result);
}

static bool takes(const char *task, const char *expected, char seen[static 64])
{
	struct error *err = NULL;
	char *text = NULL, path[80];
	struct claim c;
	int result = claims_take(dir, task, &c, &text, &err);
	bool good;

	show(result, err, seen);
	if (result == 0)
		snprintf(seen, 64, "-");
	if (result > 0)
		snprintf(seen, 64, "%06u.g%u.l%u", c.number, c.generation, c.losses);
	snprintf(path, sizeof(path), "queue/%s", seen);
	/* The text is the path that the batch had at first. */
	good = strcmp(seen, expected) == 0 &&
	       (result <= 0 || (strcmp(c.task, task) == 0 && text && strstr(text, "/")));
	error_free(&err);
	free(text);
	return good;
}

static bool moves_claim(const char *what, const char *name, const char *expected,
			char seen[static 64])
{
	struct error *err = NULL;
	struct claim c;
	int result;

	claim_of(name, &c);
	result = (*what == 'f'	 ? claims_finish
		  : *what == 'r' ? claims_return
				 : claims_lose)(dir, &c, &err);
	show(result, err, seen);
	error_free(&err);
	return strcmp(seen, expected) == 0;
}

static bool step_holds(char *step, char seen[static 64])
{
	char *colon = strchr(step, ':'), *equals = strchr(step, '=');

	if (strcmp(step, "stale") == 0 || strcmp(step, "gone") == 0) {
		fault.stale = *step == 's' ? 2 : 99;
		return true;
	}
	if (!colon) {
		fault.lies = strcmp(step, "lie") == 0;
		fault.rename_error = strcmp(step, "ENOENT") == 0   ? ENOENT
				     : strcmp(step, "ENOSPC") == 0 ? ENOSPC
				     : strcmp(step, "ESTALE") == 0 ? ESTALE
								   : 0;
		return true;
	}
	*colon = '\0';
	if (!equals)
		return unlinkat(dir, colon + 1, AT_REMOVEDIR) == 0;
	*equals = '\0';
	return strcmp(step, "take") == 0 ? takes(colon + 1, equals + 1, seen)
					 : moves_claim(step, colon + 1, equals + 1, seen);
}

static void check_moves(void)
{
	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
		char text[1024], after[TEXT_SIZE], seen[64] = "", *rest = NULL, *step;
		bool good = true;

		begin(moves[i].before);
		snprintf(text, sizeof(text), "%s", moves[i].steps);
		for (step = strtok_r(text, " ", &rest); step && good;
		     step = strtok_r(NULL, " ", &rest))
			good = step_holds(step, seen);
		all_files(after);
		tap_check(good && tap_same(after, moves[i].after), "%s", moves[i].claim);
		if (!good || !tap_same(after, moves[i].after))
			printf("# last result %s\n# now: %s\n", seen, after);
	}
}

/* --- texts ---------------------------------------------------------------------------------- */

static bool reads(enum claim_place place, const struct claim *c, const char *expected)
{
	char *text = claims_read(dir, place, c, NULL);
	bool good = tap_same(text, expected);

	free(text);
	return good;
}

static enum error_code read_fails(enum claim_place place, const struct claim *c)
{
	struct error *err = NULL;
	char *text = claims_read(dir, place, c, &err);
	enum error_code code = text ? ERR_NONE : err->code;

	error_free(&err);
	free(text);
	return code;
}

static void check_texts(void)
{
	struct claim c = { .number = 1, .generation = 1 }, a = c;
	char *text = NULL;

	strcpy(a.task, "a");
	begin("");
	put("queue/000001.g1.l0", "text");
	tap_check(reads(CLAIM_QUEUE, &c, "text"), "a text is read in the queue");
	tap_check(reads(CLAIM_QUEUE, &a, "text"), "in the queue, whatever the task");
	tap_check(claims_take(dir, "a", &c, &text, NULL) == 1 && tap_same(text, "text"),
		  "a text is read by the task that takes it");
	free(text);
	tap_check(reads(CLAIM_CLAIMS, &c, "text"), "a text is read in the claims");
	tap_check(read_fails(CLAIM_QUEUE, &c) == ERR_MISSING, "it is missing in the queue then");
	tap_check(claims_finish(dir, &c, NULL) == 1 && reads(CLAIM_DONE, &c, "text"),
		  "a text is read after the end");
	begin("");
	put("queue/000001.g1.l0", "");
	tap_check(reads(CLAIM_QUEUE, &c, ""), "an empty text is read");
	begin("");
	tap_check(mkfifoat(dir, "queue/000001.g1.l0", 0600) == 0 &&
			  read_fails(CLAIM_QUEUE, &c) == ERR_INPUT,
		  "a pipe is no text");
	tap_check(claims_take(dir, "a", &c, &text, NULL) < 0,
		  "a pipe fails its task, and does not block it");
	begin("");
	tap_check(symlinkat("/etc/passwd", dir, "queue/000001.g1.l0") == 0 &&
			  read_fails(CLAIM_QUEUE, &c) != ERR_NONE,
		  "a link is no text");
	begin("queue/000001.g1.l0");
	tap_check(read_fails(CLAIM_CLAIMS, &a) == ERR_MISSING,
		  "a claim of another place is missing");
}

static void check_large(void)
{
	struct claim c = { .number = 1, .generation = 1 };
	int fd;

	begin("queue/000001.g1.l0");
	fd = openat(dir, "queue/000001.g1.l0", O_WRONLY | O_CLOEXEC);
	tap_check(fd >= 0 && ftruncate(fd, 1 << 20) == 0 && read_fails(CLAIM_QUEUE, &c) == ERR_NONE,
		  "a text of 1 MiB is read");
	tap_check(ftruncate(fd, (1 << 20) + 1) == 0 && read_fails(CLAIM_QUEUE, &c) == ERR_INPUT,
		  "a larger one is not");
	close(fd);
}

/* --- the start ------------------------------------------------------------------------------ */

#define TWO "queue/000001.g1.l0 queue/000002.g1.l0 queue/all"

static char *const texts[] = { "one", "two" };
static char *const others[] = { "ONE", "TWO", "THREE" };

static int publish(void)
{
	struct error *err = NULL;
	int result = claims_publish(dir, texts, 2, &err);

	result = result < 0 ? (int)err->code : 0;
	error_free(&err);
	return result;
}

static void publish_others(void)
{
	claims_publish(dir, others, 3, NULL);
}

static void prepare_space(void)
{
	fault.syncs = 2;
}

static void prepare_no_mark(void)
{
	fault.syncs = 3;
}

static void prepare_lie(void)
{
	fault.lies = true;
}

static void prepare_other(void)
{
	fault.meanwhile = publish_others;
}

/* An older publisher died before its rename. */
static void prepare_draft(void)
{
	if (mkdirat(dir, ".draft.0", 0755) < 0)
		abort();
	put(".draft.0/000003.g1.l0", "old");
}

static const struct {
	const char *claim, *before;
	void (*prepare)(void);
	const char *after;
	int result; /* 0, or an error's code */
	bool published;
} starts[] = {
	{ "all batches appear", "", NULL, TWO, 0, true },
	{ "an older draft stays out of it", "", prepare_draft, ".draft.0/000003.g1.l0 " TWO, 0,
	  true },
	{ "no space for a batch: none appears, no draft stays", "", prepare_space, "", ERR_SPACE,
	  false },
	{ "no space for the mark: none appears, no draft stays", "", prepare_no_mark, "", ERR_SPACE,
	  false },
	{ "published, though rename() says no", "", prepare_lie, TWO, 0, true },
	{ "another publisher is faster: all batches are its own", "", prepare_other,
	  "queue/000001.g1.l0 queue/000002.g1.l0 queue/000003.g1.l0 queue/all", 0, true },
	{ "published before: nothing changes", "queue/000002.g1.l0 queue/all claims/000001.g1.l0.a",
	  NULL, "claims/000001.g1.l0.a queue/000002.g1.l0 queue/all", 0, true },
	{ "published before, and all batches taken", "queue/all claims/000001.g1.l0.a", NULL,
	  "claims/000001.g1.l0.a queue/all", 0, true },
	{ "published before, and all batches done", "queue/all done/000001.g1.l0.a", NULL,
	  "done/000001.g1.l0.a queue/all", 0, true },
	{ "the list is in the queue again: nothing changes", "queue/000000.g2.l1", NULL,
	  "queue/000000.g2.l1", ERR_SYSTEM, false },
};

static void check_starts(void)
{
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		char after[TEXT_SIZE], *seen = after;
		int result;

		begin(starts[i].before);
		if (starts[i].prepare)
			starts[i].prepare();
		result = publish();
		all_files(after);
		/* Drafts that stay have random names. */
		while (strncmp(seen, ".draft.", 7) == 0 && strncmp(seen, ".draft.0/", 9) != 0)
			seen += strcspn(seen, " ") + (seen[strcspn(seen, " ")] == ' ');
		tap_check(result == starts[i].result && tap_same(seen, starts[i].after) &&
				  claims_published(dir) == starts[i].published,
			  "publish: %s", starts[i].claim);
		if (result != starts[i].result || !tap_same(seen, starts[i].after))
			printf("# result %d\n# now: %s\n", result, after);
	}
}

/* Takes the next batch, which must be NUMBER with TEXT. */
static bool next_is(unsigned int number, const char *text, struct claim *c)
{
	char *read = NULL;
	bool good = claims_take(dir, "a", c, &read, NULL) == 1 && c->number == number &&
		    c->generation == 1 && tap_same(read, text);

	free(read);
	return good;
}

static void check_again(void)
{
	struct claim c;
	char *text = NULL;

	begin("");
	fault.syncs = 2;
	tap_check(publish() == ERR_SPACE, "publish: no space");
	tap_check(publish() == 0 && claims_published(dir), "publish: works once there is space");
	tap_check(next_is(1, "one", &c), "publish: the first text is that of batch 1");
	publish_others();
	tap_check(next_is(2, "two", &c), "publish: once only");
	tap_check(claims_take(dir, "a", &c, &text, NULL) == 0 && claims_published(dir),
		  "publish: an empty queue is one that was published");
	begin("");
	tap_check(!claims_published(dir), "publish: at first nothing is published");
	tap_check(claims_publish(dir, NULL, 0, NULL) == 0 && claims_published(dir),
		  "publish: no batch at all");
	begin("");
	tap_check(claims_make(dir, "first", NULL) == 0 && next_is(0, "first", &c) && publish() == 0,
		  "the first batch has number 0");
	tap_check(claims_finish(dir, &c, NULL) == 1,
		  "the first batch is finished after publishing");
	dir_remove(dir, "queue");
	tap_check(!claims_published(dir), "a queue that is gone is not published");
}

int main(void)
{
	if (!scratch_make(made))
		return 1;
	check_names();
	check_tasks();
	check_moves();
	check_texts();
	check_large();
	check_starts();
	check_again();
	close(dir);
	dir_remove(AT_FDCWD, made);
	return tap_done();
}
