/* claims_hammer: processes that share batches in a directory (frontend/cluster/claims.h) and, by
 * chance, die, return batches, and take batches from each other. tests/support/hammer.py starts
 * them and checks their logs.
 *
 *   make DIR                                  creates the directory's contents
 *   work DIR LOGS NAME BATCHES SEED [calm]    works until all is done; calm: finishes all it takes
 *   watch DIR LOGS NAME BATCHES SEED          gives back what dead processes had, and more
 *
 * Steps, for a test that says what comes next (see also wait_at_gate()). They print what came of
 * it, and "N missed": renames that reported that the file was missing.
 *
 *   list DIR PLACE
 *   take DIR TASK
 *   finish DIR NUMBER GENERATION LOSSES TASK   also return, lose
 *   publish DIR TEXT…
 *   lease DIR [hold]                          takes it; hold: renews it for each character of input
 *
 * NAME.log in the local directory LOGS has a line for each move: what, number, generation, losses,
 * task, and "?" before it or its result after it. LOGS/dead.TASK: that one will not go on. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cluster/claims.h"
#include "frontend/cluster/lease.h"
#include "lib/clock.h"

#define LIST "list"

/* In a hundred batches, or rounds of a watcher. */
enum { DIE = 5, RETURN = 8, SLOW = 5, STEAL = 3, DROP = 5 };
enum { QUICK_US = 2000, SLOW_US = 60000, WAIT_US = 10000 };

static struct {
	int dir, logs, log;
	const char *name;
	char task[CLAIM_TASK_SIZE]; /* NAME and the number of its life */
	unsigned int life, batches;
	unsigned short random[3];
	bool calm;
	/* Of the last rename, whether it reported that the file was missing; how many did so; and
	 * how many of these had succeeded. */
	bool missed;
	unsigned int misses, recovered;
} me;

static void __attribute__((noreturn)) fail(const struct error *err)
{
	fprintf(stderr, "claims_hammer: %s: %s\n", me.task, err ? error_text(err) : "unexpected");
	exit(1);
}

/* In the directory $HAMMER_GATE, says that it is about to rename, and waits for the test to let it.
 * The next request of an NFS client is then the rename itself. */
static void wait_at_gate(void)
{
	static const char *const needed[] = { ".", "queue", "claims", "done" };
	bool may = true;
	const char *gate = getenv("HAMMER_GATE");
	int fd = gate ? open(gate, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	unsetenv("HAMMER_GATE");
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		may &= faccessat(me.dir, needed[i], W_OK | X_OK, 0) == 0;
	if (!may)
		fail(NULL);
	close(openat(fd, "here", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	while (faccessat(fd, "open", F_OK, 0) < 0)
		usleep(QUICK_US);
	close(fd);
}

int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	int result;

	wait_at_gate();
	result = __real_renameat(from, old, to, new);
	me.missed = result < 0 && errno == ENOENT;
	me.misses += me.missed;
	return result;
}

static bool chance(unsigned int percent)
{
	return !me.calm && (unsigned int)(nrand48(me.random) % 100) < percent;
}

static void wait_up_to(unsigned int microseconds)
{
	usleep((useconds_t)nrand48(me.random) % microseconds);
}

static void tell(const char *what, const struct claim *c, const char *result)
{
	if (dprintf(me.log, "%s %u %u %u %s %s\n", what, c->number, c->generation, c->losses,
		    c->task, result) < 0)
		fail(NULL);
}

/* Moves a claim and logs it, before and after. */
static void move(const char *what, const struct claim *c,
		 int (*function)(int dir, const struct claim *c, struct error **err))
{
	struct error *err = NULL;
	int result;

	tell(what, c, "?");
	result = function(me.dir, c, &err);
	if (result < 0)
		fail(err);
	me.recovered += result && me.missed;
	tell(what, c, result ? "1" : "0");
}

static void live(void)
{
	snprintf(me.task, sizeof(me.task), "%.40s-%u", me.name, ++me.life);
}

static void die(void)
{
	char mark[CLAIM_TASK_SIZE + 8];

	snprintf(mark, sizeof(mark), "dead.%s", me.task);
	close(openat(me.logs, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	live();
}

static struct claim *list_of(enum claim_place place, size_t *count)
{
	struct error *err = NULL;
	struct claim *list;

	if (claims_list(me.dir, place, &list, count, &err) < 0)
		fail(err);
	return list;
}

static bool all_done(void)
{
	size_t count;

	free(list_of(CLAIM_DONE, &count));
	return claims_published(me.dir) && count == me.batches + 1;
}

/* --- work ----------------------------------------------------------------------------------- */

/* Each publisher's texts are its own. Returns whether they, or those of another one, are there. */
static bool publish(void)
{
	char **texts = calloc(me.batches, sizeof(*texts));
	struct error *err = NULL;
	int result;

	for (unsigned int i = 0; texts && i < me.batches; i++)
		if (asprintf(&texts[i], "%u %s\n", i + 1, me.task) < 0)
			fail(NULL);
	result = claims_publish(me.dir, texts, me.batches, &err);
	/* Its claim was given away, and the list is in the queue again. */
	if (result < 0 && err->number != ENOTEMPTY && err->number != EEXIST)
		fail(err);
	for (unsigned int i = 0; texts && i < me.batches; i++)
		free(texts[i]);
	free(texts);
	error_free(&err);
	return result == 0;
}

static void work_on(const struct claim *c, const char *text)
{
	if (c->number ? strtoul(text, NULL, 10) != c->number : strcmp(text, LIST) != 0)
		fail(NULL);
	if (!me.calm)
		wait_up_to(chance(SLOW) ? SLOW_US : QUICK_US);
	if (chance(DIE)) {
		die();
		return;
	}
	if (chance(RETURN)) {
		move("return", c, claims_return);
		return;
	}
	if (!c->number && !publish())
		return;
	if (!c->number && chance(RETURN))
		die();
	else
		move("finish", c, claims_finish);
}

static void work(void)
{
	int64_t began = clock_microseconds();
	unsigned int taken = 0;

	for (;;) {
		bool published = claims_published(me.dir);
		struct error *err = NULL;
		char *text = NULL;
		struct claim c;
		int result = claims_take(me.dir, me.task, &c, &text, &err);

		/* Missing: it was given away at once. */
		if (result < 0 && err->code != ERR_MISSING)
			fail(err);
		error_free(&err);
		if (result > 0) {
			tell("take", &c, "1");
			me.recovered += me.missed;
			taken++;
			work_on(&c, text);
		} else if (result == 0 && published && (me.calm || all_done())) {
			break;
		} else {
			wait_up_to(WAIT_US);
		}
		free(text);
	}
	printf("%s: %u batches in %.3f s, %u renames missed, %u recovered\n", me.name, taken,
	       (double)(clock_microseconds() - began) / 1e6, me.misses, me.recovered);
}

/* --- watch ---------------------------------------------------------------------------------- */

static bool is_dead(const char *task)
{
	char mark[CLAIM_TASK_SIZE + 8];

	snprintf(mark, sizeof(mark), "dead.%s", task);
	if (faccessat(me.logs, mark, F_OK, 0) == 0)
		return true;
	*strrchr(mark, '-') = '\0';
	return faccessat(me.logs, mark, F_OK, 0) == 0;
}

static void sweep(void)
{
	size_t count;
	struct claim *list = list_of(CLAIM_CLAIMS, &count);

	for (size_t i = 0; i < count; i++)
		if (strchr(list[i].task, '-') && (is_dead(list[i].task) || chance(STEAL)))
			move("lose", &list[i], claims_lose);
	free(list);
}

/* Returns whether all is done. */
static bool hold(struct lease *lease)
{
	int64_t began = clock_microseconds();
	bool over = false;

	do {
		struct error *err = NULL;

		sweep();
		if (lease_renew(me.dir, lease, &err) < 0)
			fail(err);
		over = all_done();
		wait_up_to(WAIT_US);
	} while (!over && !chance(DROP));
	dprintf(me.log, "held %lld %lld\n", (long long)began, (long long)clock_microseconds());
	lease_drop(me.dir, lease);
	return over;
}

static void watch(void)
{
	bool over = false;

	while (!over) {
		struct error *err = NULL;
		struct lease lease;

		if (lease_take(me.dir, &lease, &err) == 0)
			over = hold(&lease);
		else if (err->code != ERR_BUSY)
			fail(err);
		else
			over = all_done();
		error_free(&err);
		wait_up_to(2 * WAIT_US);
	}
	printf("%s: %u renames missed, %u recovered\n", me.name, me.misses, me.recovered);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void print_claim(const struct claim *c)
{
	printf("%u %u %u %s\n", c->number, c->generation, c->losses, c->task);
}

static void take_one(const char *task)
{
	struct error *err = NULL;
	char *text = NULL;
	struct claim c;
	int result = claims_take(me.dir, task, &c, &text, &err);

	if (result < 0)
		fail(err);
	if (result > 0)
		print_claim(&c);
	free(text);
}

static void move_one(const char *what, char **words)
{
	struct claim c = { .losses = (unsigned int)strtoul(words[2], NULL, 10) };
	struct error *err = NULL;
	int result;

	c.number = (unsigned int)strtoul(words[0], NULL, 10);
	c.generation = (unsigned int)strtoul(words[1], NULL, 10);
	snprintf(c.task, sizeof(c.task), "%s", words[3]);
	if (strcmp(what, "finish") == 0)
		result = claims_finish(me.dir, &c, &err);
	else
		result =
			(strcmp(what, "lose") == 0 ? claims_lose : claims_return)(me.dir, &c, &err);
	if (result < 0)
		fail(err);
	printf("%d\n", result);
}

static void publish_these(char *const *texts, size_t count)
{
	struct error *err = NULL;

	if (claims_publish(me.dir, texts, count, &err) < 0)
		fail(err);
	printf("0\n");
}

static void print_list(const char *place)
{
	size_t count;
	struct claim *list = list_of((enum claim_place)strtoul(place, NULL, 10), &count);

	for (size_t i = 0; i < count; i++)
		print_claim(&list[i]);
	free(list);
}

static void print_lease(const struct lease *lease, struct error *err)
{
	printf("%s: %s\n", err ? error_code_name(err->code) : "held",
	       err ? error_text(err) : lease->name);
	fflush(stdout);
	error_free(&err);
}

/* Takes the lease and, if it is to hold it, renews it for each character of standard input. Its
 * descriptor of the directory stays open: opening it makes an NFS client look again. */
static void lease_step(bool holds)
{
	struct error *err = NULL;
	struct lease lease;

	lease_take(me.dir, &lease, &err);
	print_lease(&lease, err);
	while (holds && getchar() != EOF) {
		err = NULL;
		lease_renew(me.dir, &lease, &err);
		print_lease(&lease, err);
	}
}

static void begin(char **words, bool calm)
{
	char log[CLAIM_TASK_SIZE + 8];

	me.name = words[1];
	me.batches = (unsigned int)strtoul(words[2], NULL, 10);
	me.random[0] = (unsigned short)strtoul(words[3], NULL, 10);
	me.random[1] = (unsigned short)(me.name[0] + (me.name[1] << 8));
	me.calm = calm;
	me.logs = open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(log, sizeof(log), "%.40s.log", me.name);
	me.log = openat(me.logs, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (me.log < 0)
		fail(NULL);
	live();
}

static int make(void)
{
	return claims_make(me.dir, LIST, NULL) < 0 || lease_make(me.dir, NULL) < 0;
}

static void take_step(int argc, char **argv)
{
	const char *what = argv[1];

	if (strcmp(what, "publish") == 0)
		publish_these(argv + 3, (size_t)argc - 3);
	else if (argc == 7)
		move_one(what, argv + 3);
	else if (strcmp(what, "lease") == 0)
		lease_step(argc == 4);
	else if (argc == 4 && strcmp(what, "list") == 0)
		print_list(argv[3]);
	else if (argc == 4 && strcmp(what, "take") == 0)
		take_one(argv[3]);
	else
		fail(NULL);
	printf("%u missed\n", me.misses);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	me.dir = argc > 2 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (me.dir < 0)
		fail(NULL);
	if (strcmp(what, "make") == 0)
		return make();
	if (argc >= 7 && (strcmp(what, "work") == 0 || strcmp(what, "watch") == 0)) {
		begin(argv + 3, argc == 8);
		(strcmp(what, "work") == 0 ? work : watch)();
	} else {
		take_step(argc, argv);
	}
	return 0;
}
