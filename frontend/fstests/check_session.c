/* The guests of one run, and what each is told to do next. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/cli/word_list.h"
#include "frontend/fstests/check_session.h"
#include "frontend/fstests/check_words.h"
#include "frontend/fstests/configuration_plan.h"
#include "frontend/fstests/display.h"
#include "frontend/fstests/result_files.h"
#include "frontend/fstests/run_excludes.h"
#include "frontend/fstests/run_tally.h"
#include "frontend/fstests/shard_run.h"
#include "frontend/fstests/test_guest.h"
#include "frontend/fstests/test_queue.h"
#include "lib/clock.h"

#define TICK_MS 500
#define PACKETS_AT_ONCE 64 /* of one guest, before others get their turn */
#define BATCH_SECONDS 60   /* for a guest whose check cannot ask for more */
#define BATCH_TESTS 16

/* What a guest is doing. */
enum guest_state {
	GUEST_GONE,
	GUEST_BOOTING, /* or setting up */
	GUEST_WAITING, /* its script is idle */
	GUEST_LISTING,
	GUEST_CHECKING,
	GUEST_ASKING, /* its check is idle, in the section of its last test */
};

struct run_guest {
	struct test_guest guest;
	struct check_session *session;
	enum guest_state state;
	bool will_ask;
	size_t ended;	    /* tests of the queue that had ended when it booted */
	char section[128];  /* of the current check */
	struct batch ahead; /* taken from the queue for the next check */
	char ahead_section[128];
	struct batch given; /* names of the tests that the current check was given */
};

struct check_session {
	struct fstests_run *run;
	struct run_guest *guests;
	unsigned int count;
	struct test_queue *queue; /* if there are several guests, once the plan is known */
	bool planned;		  /* the list of tests was read, as far as it could be */
	bool told;		  /* what to run: the only guest */
	unsigned int whole;	  /* the boot in which check got the user's own words; 0: none */
	bool over;		  /* the supply has nothing more */
	unsigned int rounds;	  /* how often all tests were put into the queue */
	bool draining;		  /* no further test starts: --until-failure */
	size_t left;		  /* tests without a result when the only guest was last told */
	int64_t next_tick;	  /* milliseconds of the monotonic clock */
	char **unprepared;	  /* sections that could not be made or mounted */
	size_t unprepared_count;
	bool stopping;
	struct error *err; /* why */
};

/* --- the queue ------------------------------------------------------------------------------ */

static void queue_test(struct check_session *s, const char *section, const char *name)
{
	const struct queued_test test = {
		.section = section,
		.name = name,
		.seconds = durations_expect(s->run->durations, s->run->groups, section, name),
		.alone = test_groups_has(s->run->groups, name, GROUP_ALONE),
	};

	if (!s->err && test_queue_add(s->queue, &test) < 0)
		error_no_memory(&s->err);
}

/* Puts all tests into the queue, but those that did not run in the first round. */
static void queue_round(struct check_session *s)
{
	const struct test_plan *plan = &s->run->plan;

	s->rounds++;
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned *p = &plan->list[i];
		const struct test_result *first =
			results_find(&s->run->results, p->section, p->name);

		if (!first || outcome_tried(first->status))
			queue_test(s, p->section, p->name);
	}
}

/* Begins another round as soon as nothing waits: guests need not wait for one another. */
static void queue_next_round(struct check_session *s)
{
	if (s->rounds && !s->draining && !test_queue_state(s->queue).waiting &&
	    s->rounds <= s->run->options->again)
		queue_round(s);
}

/* --- results -------------------------------------------------------------------------------- */

static void store_result(struct check_session *s, const struct test_result *result)
{
	struct results *all = &s->run->results;
	json_t *object;

	if (!s->err && results_add(all, result, &s->err) == 0) {
		result = &all->list[all->count - 1];
		object = result_to_json(result);
		run_dir_append(&s->run->dir, RUN_TESTS, object, &s->err);
		json_decref(object);
	}
	display_ended(s->run, result);
}

/* Tells a shared queue that a test needs nothing more. */
static void tell_supply(struct check_session *s, const char *section, const char *name)
{
	const struct test_supply *supply = s->run->supply;

	if (supply && !s->err)
		supply->ended(section, name, supply->context, &s->err);
}

/* Called with a test's result, which is the last of the list: with --retry-failed, a test that
 * failed runs again, until it passes. */
static void run_again(struct check_session *s, const struct test_result *result)
{
	const struct fstests_options *o = s->run->options;
	const struct test_result *first =
		results_find(&s->run->results, result->section, result->name);

	if (!outcome_failed(result->status))
		return;
	s->draining = s->draining || o->until_failure;
	if (first && first->times <= o->retry_failed)
		queue_test(s, result->section, result->name);
}

static void check_session_done(struct test_guest *g, const struct test_result *result)
{
	struct run_guest *m = g->context;
	struct check_session *s = m->session;

	/* A result of a test that the guest does not have means nothing. */
	if (s->queue && !test_queue_ended(s->queue, g->number - 1, result->section, result->name))
		return;
	store_result(s, result);
	tell_supply(s, result->section, result->name);
	if (s->queue && !s->run->supply)
		run_again(s, result);
}

/* Records planned tests that were not reached, so that nobody counts them as passed. */
static void note_planned(struct check_session *s, const struct test_plan *plan,
			 enum test_status status)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct test_result result = { .section = plan->list[i].section,
						    .name = plan->list[i].name,
						    .status = status };

		if (!results_find(&s->run->results, result.section, result.name))
			store_result(s, &result);
	}
}

/* --- the plan ------------------------------------------------------------------------------- */

static void fill_queue(struct check_session *s)
{
	s->queue = test_queue_new(s->count);
	if (s->queue)
		queue_round(s);
	else
		error_no_memory(&s->err);
}

/* Whether guests get their tests from a queue, not by one check that runs all of them. check runs
 * one configuration at a time. */
static bool needs_queue(const struct check_session *s)
{
	return s->count > 1 || s->run->configurations.count || fstests_repeats(s->run->options);
}

/* Takes the excluded tests from the plan, and records why. */
static void exclude_tests(struct check_session *s)
{
	_cleanup_(results_clear) struct results excluded = { 0 };
	struct fstests_run *run = s->run;
	char section[CONFIGURATION_SIZE];

	if (configurations_unplanned(&run->configurations, &run->plan, section) && !*run->refusal)
		snprintf(run->refusal, sizeof(run->refusal),
			 "no tests for %s: see " RUN_LIST " in the run's directory", section);
	run_excludes_cut(run, &excluded, &s->err);
	for (size_t i = 0; i < excluded.count; i++)
		store_result(s, &excluded.list[i]);
	run->settled = run->results.count;
}

/* Called once the plan was read, as far as it could be. */
static void use_plan(struct check_session *s)
{
	s->planned = true;
	if (!s->run->second_pass)
		exclude_tests(s);
	if (s->run->shard.parts && shard_run_cut(s->run, &s->err) < 0)
		return;
	if (s->run->configurations.count ||
	    (needs_queue(s) &&
	     (s->run->plan.count || s->run->shard.parts || s->run->excludes.count)))
		fill_queue(s);
}

/* Passes the list to the process that cuts it into batches. */
static void hand_on_list(struct check_session *s, int status)
{
	if (!s->err)
		s->run->supply->listed(status, s->run->supply->context, &s->err);
}

/* Only check knows which tests it would run: STATUS is that of check -n. If it cannot say, the
 * first guest runs what the user asked for, and check will say why. A part cannot be run so. */
static void read_plan(struct check_session *s, int status)
{
	_cleanup_(test_plan_clear) struct test_plan excluded = { 0 };
	_cleanup_error_ struct error *why = NULL;

	if (s->run->supply) {
		hand_on_list(s, status);
		return;
	}
	test_plan_read(s->run->dir.fd, RUN_LIST, &s->run->plan, &excluded, &why);
	if (s->run->shard.parts && (why || status)) {
		error_set(&s->err, ERR_INPUT, "cannot list the tests: %s",
			  why ? why->message : "see " RUN_LIST " in the run's directory");
		return;
	}
	if (needs_queue(s) && (why || status))
		test_plan_clear(&s->run->plan);
	use_plan(s);
	if ((s->queue || s->run->excludes.count) && !s->run->shard.parts)
		note_planned(s, &excluded, TEST_EXPUNGED);
}

/* --- orders --------------------------------------------------------------------------------- */

static void tell(struct run_guest *m, enum guest_state state, const char *order,
		 const struct batch *batch)
{
	m->state = state;
	test_guest_tell(&m->guest, order, batch);
}

/* Gives check the user's own words. */
static void tell_words(struct run_guest *m, enum guest_state state, const char *order)
{
	const struct fstests_run *run = m->session->run;
	const struct batch words = { .words = (char **)(uintptr_t)run->words,
				     .count = run->word_count };

	tell(m, state, order, &words);
}

/* The options that say how tests run go before their names. Those that repeat or order them are
 * for the first boot, as if check had the user's own words. */
static void tell_run(struct run_guest *m, struct batch *batch)
{
	const struct fstests_run *run = m->session->run;

	if (check_words_keep(run->words, run->word_count, run->boots == 1, batch) < 0)
		error_no_memory(&m->guest.err);
	else
		tell(m, GUEST_CHECKING, "run", batch);
}

static enum test_queue_answer take_tests(struct run_guest *m, struct queued_test *tests,
					 size_t *count)
{
	return test_queue_take(
		m->session->queue, m->guest.number - 1, BATCH_SECONDS,
		m->will_ask || fstests_repeats(m->session->run->options) ? 1 : BATCH_TESTS, tests,
		count);
}

/* The same if the queue may have to be filled first. */
static enum test_queue_answer take_supplied(struct run_guest *m, struct queued_test *tests,
					    size_t *count)
{
	struct check_session *s = m->session;
	const struct test_supply *supply = s->run->supply;
	enum test_queue_answer answer;

	if (s->draining)
		return QUEUE_FINISHED;
	queue_next_round(s);
	answer = take_tests(m, tests, count);
	if (!supply || answer == QUEUE_GIVEN || test_queue_state(s->queue).waiting || s->over ||
	    s->err)
		return answer;
	switch (supply->more(s->queue, supply->context, &s->err)) {
	case SUPPLY_ADDED:
		return take_tests(m, tests, count);
	case SUPPLY_LIST:
		tell_words(m, GUEST_LISTING, "list");
		return QUEUE_WAIT;
	case SUPPLY_OVER:
		s->over = true;
		return answer;
	case SUPPLY_WAIT:
	case SUPPLY_ERROR:
		break;
	}
	return QUEUE_WAIT;
}

static bool is_unprepared(const struct check_session *s, const char *section)
{
	for (size_t i = 0; i < s->unprepared_count; i++)
		if (strcmp(s->unprepared[i], section) == 0)
			return true;
	return false;
}

/* The same without the tests of sections that no guest can prepare. */
static enum test_queue_answer take_runnable(struct run_guest *m, struct queued_test *tests,
					    size_t *count)
{
	struct check_session *s = m->session;
	enum test_queue_answer answer;

	while ((answer = take_supplied(m, tests, count)) == QUEUE_GIVEN &&
	       is_unprepared(s, tests[0].section))
		for (size_t i = 0; i < *count; i++)
			test_queue_ended(s->queue, m->guest.number - 1, tests[i].section,
					 tests[i].name);
	return answer;
}

/* Takes the guest's next tests from the queue into AHEAD. */
static enum test_queue_answer take_ahead(struct run_guest *m)
{
	struct queued_test tests[BATCH_TESTS];
	enum test_queue_answer answer;
	size_t count;

	if (m->ahead.count)
		return QUEUE_GIVEN;
	answer = take_runnable(m, tests, &count);
	if (answer != QUEUE_GIVEN)
		return answer;
	snprintf(m->ahead_section, sizeof(m->ahead_section), "%s", tests[0].section);
	for (size_t i = 0; i < count; i++)
		if (batch_add(&m->ahead, tests[i].name) < 0)
			error_no_memory(&m->guest.err);
	return QUEUE_GIVEN;
}

/* Empties AHEAD into GIVEN. */
static void give_ahead(struct run_guest *m)
{
	for (size_t i = 0; i < m->ahead.count; i++)
		if (batch_add(&m->given, m->ahead.words[i]) < 0)
			error_no_memory(&m->guest.err);
	batch_clear(&m->ahead);
}

/* Called when check has run what it was given. No guest waits for tests that it skipped. */
static void forget_given(struct run_guest *m)
{
	struct check_session *s = m->session;
	char *refusal = s->run->refusal;

	for (size_t i = 0; i < m->given.count; i++) {
		const char *name = m->given.words[i];

		if (!test_queue_ended(s->queue, m->guest.number - 1, m->section, name))
			continue;
		if (!*refusal)
			snprintf(refusal, sizeof(s->run->refusal), "it skipped %s", name);
		tell_supply(s, m->section, name);
	}
	batch_clear(&m->given);
}

/* Starts check on AHEAD. */
static void run_ahead(struct run_guest *m)
{
	struct batch words = { 0 };
	bool good = true;

	if (*m->ahead_section)
		good = batch_add(&words, "-s") == 0 && batch_add(&words, m->ahead_section) == 0;
	for (size_t i = 0; i < m->ahead.count; i++)
		good = good && batch_add(&words, m->ahead.words[i]) == 0;
	give_ahead(m);
	snprintf(m->section, sizeof(m->section), "%s", m->ahead_section);
	if (good)
		tell_run(m, &words);
	else
		error_no_memory(&m->guest.err);
	batch_clear(&words);
}

/* Tells an idle guest of several what to do, if there is anything. */
static void tell_one_of_many(struct run_guest *m)
{
	switch (take_ahead(m)) {
	case QUEUE_WAIT:
		return;
	case QUEUE_FINISHED:
		if (m->state == GUEST_ASKING)
			tell(m, GUEST_CHECKING, "more", NULL);
		else
			tell(m, GUEST_CHECKING, "end", NULL);
		return;
	case QUEUE_GIVEN:
		break;
	}
	if (m->state != GUEST_ASKING) {
		run_ahead(m);
	} else if (strcmp(m->section, m->ahead_section) == 0) {
		tell(m, GUEST_CHECKING, "more", &m->ahead);
		give_ahead(m);
	} else {
		tell(m, GUEST_CHECKING, "more", NULL);
	}
}

/* The only guest runs everything in one check. After a crash, with --shard, and if tests are
 * excluded, check gets what is left, one section at a time. */
static void tell_only(struct run_guest *m)
{
	_cleanup_(batch_clear) struct batch batch = { 0 };
	struct check_session *s = m->session;
	const struct fstests_run *run = s->run;
	size_t left = test_plan_left(&run->plan, &run->results);

	if (!s->told && !run->shard.parts && !run->excludes.count) {
		s->whole = run->boots;
		tell_words(m, GUEST_CHECKING, "run");
	} else if (s->whole == run->boots || left >= s->left ||
		   !test_plan_next(&run->plan, &run->results, &batch)) {
		tell(m, GUEST_CHECKING, "end", NULL);
	} else {
		tell_run(m, &batch);
	}
	s->told = true;
	s->left = left;
}

static bool guest_idle(const struct run_guest *m)
{
	return m->state == GUEST_WAITING || m->state == GUEST_ASKING;
}

static bool is_listing(const struct check_session *s)
{
	for (unsigned int i = 0; i < s->count; i++)
		if (s->guests[i].state == GUEST_LISTING)
			return true;
	return false;
}

/* A guest that has nothing to do gets something: after each event, as one guest's end may be what
 * another waits for. */
static void tell_idle(struct check_session *s)
{
	for (unsigned int i = 0; i < s->count && !s->stopping && !s->run->exhausted; i++) {
		struct run_guest *m = &s->guests[i];

		if (!guest_idle(m) || m->guest.err)
			continue;
		if (!s->planned && is_listing(s))
			continue;
		if (!s->planned)
			tell_words(m, GUEST_LISTING, "list");
		else if (s->queue)
			tell_one_of_many(m);
		else
			tell_only(m);
	}
}

static void check_session_asked(struct test_guest *g, const struct guest_question *question)
{
	struct run_guest *m = g->context;
	struct check_session *s = m->session;

	if (question->more) {
		test_guest_flush(g);
		if (s->queue)
			forget_given(m);
		m->state = GUEST_ASKING;
		return;
	}
	m->will_ask = question->will_ask;
	if (m->state == GUEST_LISTING) {
		read_plan(s, question->status);
	} else if (m->state != GUEST_BOOTING) {
		if (!test_guest_finished(g, question->status))
			return;
		if (s->run->configurations.count && g->ended == g->ended_before &&
		    words_add(&s->unprepared, &s->unprepared_count, m->section) < 0)
			error_no_memory(&g->err);
		if (s->queue)
			forget_given(m);
	}
	m->state = GUEST_WAITING;
}

/* --- boots ---------------------------------------------------------------------------------- */

static unsigned int count_alive(const struct check_session *s)
{
	unsigned int alive = 0;

	for (unsigned int i = 0; i < s->count; i++)
		alive += s->guests[i].state != GUEST_GONE;
	return alive;
}

static void start_guest(struct check_session *s, struct run_guest *m)
{
	m->will_ask = false;
	m->ended = s->queue ? test_queue_state(s->queue).ended : 0;
	if (test_guest_boot(&m->guest, &s->err) == 0)
		m->state = GUEST_BOOTING;
}

/* Whether a new boot could run what is left: none could if tests only seem to end. */
static bool has_work(struct check_session *s, const struct run_guest *m)
{
	struct test_queue_state state;
	size_t left;

	if (s->draining)
		return false;
	if (s->queue) {
		queue_next_round(s);
		state = test_queue_state(s->queue);
		return (state.waiting > 0 || (s->run->supply && !s->over)) &&
		       state.ended > m->ended;
	}
	left = test_plan_left(&s->run->plan, &s->run->results);
	return left > 0 && left < s->left;
}

/* A guest that cannot run anything leaves the rest to the others. If it was the last one, earlier
 * results stay valid; tests that can no longer be reached are recorded as such. */
static void give_up(struct check_session *s, struct run_guest *m, struct error **why)
{
	bool bearable = (*why)->code == ERR_SYSTEM || (*why)->code == ERR_INPUT;

	if (bearable && (count_alive(s) > 0 || s->run->results.count)) {
		if ((*why)->code == ERR_INPUT && !*s->run->refusal)
			snprintf(s->run->refusal, sizeof(s->run->refusal), "%s", (*why)->message);
		display_retired(s->run, m->guest.number, (*why)->message);
		error_free(why);
		return;
	}
	s->stopping = true;
	if (!s->err)
		s->err = STEAL_PTR(*why);
	error_free(why);
}

static void finish_boot(struct check_session *s, struct run_guest *m, enum run_verdict verdict,
			struct error **why)
{
	/* Nobody else would list the tests. */
	if (m->state == GUEST_LISTING && s->run->supply)
		s->stopping = true;
	m->state = GUEST_GONE;
	batch_clear(&m->ahead);
	batch_clear(&m->given);
	if (s->queue)
		test_queue_lost(s->queue, m->guest.number - 1, NULL, NULL);
	if (verdict == VERDICT_ERROR) {
		give_up(s, m, why);
	} else if (verdict == VERDICT_STOP) {
		/* If the run's time is up, each guest's test gets its result first. */
		s->stopping = !s->run->exhausted;
	} else if (verdict == VERDICT_AGAIN && !s->stopping && has_work(s, m)) {
		display_boot(s->run, m->guest.number, *m->guest.why ? m->guest.why : NULL);
		start_guest(s, m);
	}
}

static void serve(struct check_session *s, struct run_guest *m)
{
	_cleanup_error_ struct error *why = NULL;
	struct pollfd more = { .fd = m->guest.process.socket, .events = POLLIN };
	enum run_verdict verdict;

	for (int i = 0; i < PACKETS_AT_ONCE && (i == 0 || poll(&more, 1, 0) > 0); i++) {
		if (!test_guest_serve(&m->guest, &verdict, &why))
			continue;
		finish_boot(s, m, verdict, &why);
		return;
	}
}

/* A guest that still boots when every test has ended is not needed: it may hang. */
static bool only_boots_left(struct check_session *s)
{
	struct test_queue_state state;

	for (unsigned int i = 0; i < s->count; i++)
		if (s->guests[i].state != GUEST_GONE && s->guests[i].state != GUEST_BOOTING)
			return false;
	if (!s->queue)
		return false;
	queue_next_round(s);
	state = test_queue_state(s->queue);
	return (s->draining || !state.waiting) && !state.taken && (!s->run->supply || s->over);
}

/* --- the loop ------------------------------------------------------------------------------- */

/* "generic/001 5s, generic/013 1m2s": what runs, and for how long. */
static unsigned int describe_running(const struct check_session *s, char *text, size_t size)
{
	unsigned int running = 0;
	size_t used = 0;

	*text = '\0';
	for (unsigned int i = 0; i < s->count && used < size; i++) {
		const struct test_guest *g = &s->guests[i].guest;
		char duration[TEXT_DURATION_LEN];

		if (s->guests[i].state != GUEST_CHECKING || !*g->test)
			continue;
		used += (size_t)snprintf(
			text + used, size - used, "%s%s %s", running++ ? ", " : "", g->test,
			text_duration((uint64_t)(clock_precise() - g->began), duration));
	}
	return running;
}

static void tick(struct check_session *s)
{
	const struct fstests_options *o = s->run->options;
	unsigned int running;
	char text[256];

	if (clock_milliseconds() < s->next_tick)
		return;
	s->next_tick = clock_milliseconds() + TICK_MS;
	running = describe_running(s, text, sizeof(text));
	display_tick(s->run, text, running);
	for (unsigned int i = 0; i < s->count; i++)
		test_guest_hold(&s->guests[i].guest);
	if (o->timeout && clock_precise() - s->run->began - s->run->held >= o->timeout)
		s->run->exhausted = true;
	for (unsigned int i = 0; i < s->count; i++)
		if (s->guests[i].state != GUEST_GONE)
			test_guest_watch(&s->guests[i].guest);
}

/* Waits for packets and serves them. */
static void serve_all(struct check_session *s, struct pollfd *polled)
{
	for (unsigned int i = 0; i < s->count; i++)
		polled[i] = (struct pollfd){ .fd = s->guests[i].guest.process.socket,
					     .events = POLLIN };
	polled[s->count] = (struct pollfd){ .fd = interrupt_fd(), .events = POLLIN };
	if (poll(polled, s->count + 1, TICK_MS) < 0 && errno != EINTR)
		error_errno(&s->err, ERR_SYSTEM, "cannot wait for the VMs");
	for (unsigned int i = 0; i < s->count; i++)
		if (polled[i].revents && s->guests[i].state != GUEST_GONE)
			serve(s, &s->guests[i]);
}

static int run_guests(struct check_session *s, struct error **err)
{
	struct pollfd *polled = calloc(s->count + 1, sizeof(*polled));

	/* A part without tests is done, and so is a run whose tests are all excluded. */
	if (s->planned && !s->run->plan.count && (s->run->shard.text || s->run->excludes.count))
		s->stopping = true;
	if (!polled)
		return error_no_memory(err);
	for (unsigned int i = 0; i < s->count && !s->err && !s->stopping; i++)
		start_guest(s, &s->guests[i]);
	while (!s->stopping && !s->err && count_alive(s) > 0) {
		if (interrupt_caught()) {
			error_set(&s->err, ERR_INTERRUPTED, "the VM was stopped by a signal");
			break;
		}
		serve_all(s, polled);
		tell_idle(s);
		tick(s);
		s->stopping = s->stopping || only_boots_left(s);
	}
	free(polled);
	*err = STEAL_PTR(s->err);
	return *err ? -1 : 0;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* check.log is authoritative about which tests failed. */
static int compare_with_logs(struct check_session *s, struct error **err)
{
	struct results *results = &s->run->results;
	int changed = 0;

	for (unsigned int i = 0; i < s->count; i++) {
		int more = result_files_compare(s->guests[i].guest.results_fd,
						s->guests[i].guest.number, results, err);

		if (more < 0)
			return -1;
		changed += more;
	}
	if (changed > 0)
		display_corrected(s->run, changed);
	return changed > 0 ? results_write(s->run->dir.fd, RUN_TESTS, results, err) : 0;
}

static int open_guests(struct check_session *s, struct error **err)
{
	s->guests = calloc(s->count, sizeof(*s->guests));
	if (!s->guests)
		return error_no_memory(err);
	for (unsigned int i = 0; i < s->count; i++) {
		struct run_guest *m = &s->guests[i];

		m->session = s;
		m->guest = (struct test_guest){
			.run = s->run,
			.number = needs_queue(s) || s->run->supply ? i + 1 : 0,
			.output_fd = -1,
			.console_fd = -1,
			.results_fd = -1,
			.process = GUEST_PROCESS_NONE,
			.asked = check_session_asked,
			.done = check_session_done,
			.context = m,
		};
	}
	for (unsigned int i = 0; i < s->count; i++)
		if (test_guest_open(&s->guests[i].guest, err) < 0)
			return -1;
	return 0;
}

static void close_guests(struct check_session *s)
{
	for (unsigned int i = 0; s->guests && i < s->count; i++)
		guest_process_stop(&s->guests[i].guest.process);
	for (unsigned int i = 0; s->guests && i < s->count; i++) {
		test_guest_close(&s->guests[i].guest);
		batch_clear(&s->guests[i].ahead);
		batch_clear(&s->guests[i].given);
	}
	free(s->guests);
	words_free(s->unprepared);
	test_queue_free(&s->queue);
}

int fstests_session(struct fstests_run *run, struct error **err)
{
	struct check_session s = { .run = run, .left = SIZE_MAX, .count = run->options->jobs };
	int result = -1;

	if (run->supply) {
		s.planned = true;
		s.queue = test_queue_new(s.count);
		if (!s.queue)
			return error_no_memory(err);
	} else if (run->second_pass) {
		s.told = true; /* the user's own words in the first pass */
		use_plan(&s);
	} else if (fstests_run_knows_plan(run, &run->plan)) {
		use_plan(&s);
	}
	if (!run->second_pass)
		run->began = clock_precise();
	signal(SIGPIPE, SIG_IGN); /* a guest that died reads no orders */
	display_begin(run);
	if (open_guests(&s, err) == 0)
		result = run_guests(&s, err);
	if (result == 0)
		result = compare_with_logs(&s, err);
	if (run->results.count)
		note_planned(&s, &run->plan, TEST_UNREACHED);
	close_guests(&s);
	error_free(&s.err);
	if (result < 0)
		return -1;
	result = fstests_run_conclude(run);
	if (result == FSTESTS_NOT_RUN)
		error_set(err, ERR_INPUT, "check did not run everything requested: %s",
			  run->refusal);
	return result;
}
