/* rootlet bisect: finds the commit that made a test fail. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/bisect/bisect_git.h"
#include "frontend/bisect/bisect_plan.h"
#include "frontend/bisect/bisect_search.h"
#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/style.h"
#include "frontend/cli/tree.h"
#include "frontend/commands/commands.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define CONFIG_MOST (1u << 20)
#define NUMBER_MOST 10000

enum {
	OPTION_TREE = OPTION_OWN,
	OPTION_GOOD,
	OPTION_BAD,
	OPTION_MAKE,
	OPTION_CONFIG,
	OPTION_TRIALS,
	OPTION_REPEAT,
	OPTION_CRASH,
	OPTION_HANG,
	OPTION_RESUME,
};

static const struct option_row bisect_rows[] = {
	{ "--tree", "DIR", OPTION_TREE,
	  "git repository of the kernel; its own files stay as they are", .required = true,
	  .unless = OPTION_RESUME },
	{ "--good", "COMMIT", OPTION_GOOD, "a commit at which the tests pass", .required = true,
	  .unless = OPTION_RESUME, .once = true },
	{ "--bad", "COMMIT", OPTION_BAD, "a later one at which they fail", .required = true,
	  .unless = OPTION_RESUME, .once = true },
	{ "--make", "COMMAND", OPTION_MAKE,
	  "the shell command that builds a kernel in the worktree (default: make olddefconfig && "
	  "make -j with all CPUs)",
	  .apart = true },
	{ "--config", "FILE", OPTION_CONFIG,
	  "the kernel's configuration, put into the worktree before each build (default: .config "
	  "of the tree, if it has one)" },
	{ "--trials", "N", OPTION_TRIALS,
	  "how often to run the tests at the bad end, to learn how often they fail",
	  .fallback = "10" },
	{ "--repeat", "N", OPTION_REPEAT,
	  "how often to run them on each kernel, at most (default: as the failures at the bad end "
	  "require, so that the result is wrong in less than 1 of 100 cases)",
	  .once = true },
	{ "--crash", "bad|skip", OPTION_CRASH, "what a kernel is that crashes",
	  .fallback = "skip" },
	{ "--hang", "bad|skip", OPTION_HANG, "what a kernel is on which a test does not end",
	  .fallback = "skip" },
	{ "--resume", "ID", OPTION_RESUME,
	  "continue a bisect that was interrupted: the newest with the word last", .apart = true,
	  .once = true },
	JSON_ROW(JSON_EVENTS),
	{ "--quiet", NULL, OPTION_QUIET, "print only the result" },
	{ NULL },
};

/* --- a new bisect --------------------------------------------------------------------------- */

/* Returns 1 if ANCESTOR is one of COMMIT, 0 if not, or -1 with ERR set. */
static int bisect_is_ancestor(const char *tree, const char *ancestor, const char *commit,
			      struct error **err)
{
	int status = git_status(
		tree, (const char *[]){ "merge-base", "--is-ancestor", ancestor, commit, NULL },
		err);

	if (status < 0)
		return -1;
	return status > 1 ? error_set(err, ERR_SYSTEM, "git merge-base failed in %s", tree)
			  : status == 0;
}

static int bisect_check_ends(const char *tree, const char *good, const char *bad,
			     struct error **err)
{
	int in_order;

	if (strcmp(good, bad) == 0)
		return error_set(err, ERR_INPUT, "--good and --bad are the same commit, %.12s",
				 good);
	in_order = bisect_is_ancestor(tree, good, bad, err);
	if (in_order)
		return in_order < 0 ? -1 : 0;
	in_order = bisect_is_ancestor(tree, bad, good, err);
	if (in_order < 0)
		return -1;
	return error_set(err, ERR_INPUT,
			 in_order ? "--good %.12s is later than --bad %.12s: swap them"
				  : "--good %.12s is no ancestor of --bad %.12s: give one that is",
			 good, bad);
}

/* How many kernels are to be tested between the ends. */
static int bisect_count_steps(const char *tree, const char *good, const char *bad,
			      unsigned int *steps, struct error **err)
{
	_cleanup_free_ char *range = NULL, *count = NULL;

	if (asprintf(&range, "%s..%s", good, bad) < 0)
		return error_no_memory(err);
	count = git_read(tree, (const char *[]){ "rev-list", "--count", range, NULL }, err);
	if (!count)
		return -1;
	*steps = bisect_steps(strtoul(count, NULL, 10));
	return 0;
}

/* Keeps a copy of the configuration: the user may go on to edit it. */
static int bisect_keep_config(const struct bisect_state *s, const struct parsed_line *line,
			      const char *tree, struct error **err)
{
	const char *given = line_value(line, OPTION_CONFIG);
	_cleanup_error_ struct error *missing = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/.config", tree);
	text = file_read(given ? given : path, CONFIG_MOST, NULL, given ? err : &missing);
	if (!text)
		return given ? error_wrap(err, "--config") : 0;
	fd = openat(s->fd, BISECT_CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" BISECT_CONFIG, s->path);
	return 0;
}

/* Whether the user's words for fstests name a kernel: then the worktree is not one. */
static bool bisect_names_kernel(char *const *words)
{
	for (; *words && strcmp(*words, "--") != 0; words++)
		if (strncmp(*words, "--kernel", strlen("--kernel")) == 0)
			return true;
	return false;
}

static int bisect_number(const struct parsed_line *line, int code, unsigned int *number,
			 struct error **err)
{
	const char *text = line_value(line, code);
	char *end;
	unsigned long value;

	*number = 0;
	if (!text)
		return 0;
	value = strtoul(text, &end, 10);
	if (*text < '1' || *text > '9' || *end || value > NUMBER_MOST)
		return error_set(err, ERR_INPUT, "%s \"%.80s\": must be a number from 1 to %d",
				 option_row_coded(line->command, code)->name, text, NUMBER_MOST);
	*number = (unsigned int)value;
	return 0;
}

static json_t *bisect_describe(const struct parsed_line *line, const char *tree, const char *good,
			       const char *bad)
{
	char program[PATH_MAX] = "", here[PATH_MAX] = "", make[64];
	json_t *words = json_array(), *record;
	bool whole = true;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0 ||
	    !getcwd(here, sizeof(here)))
		*program = '\0';
	snprintf(make, sizeof(make), "make olddefconfig && make -j %ld", cpus > 0 ? cpus : 1);
	for (char *const *word = line->operands; *word; word++)
		whole = json_array_append_new(words, json_string(*word)) == 0 && whole;
	record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b}", "tree", tree,
			   "good", good, "bad", bad, "program", program, "directory", here, "make",
			   line_value(line, OPTION_MAKE) ? line_value(line, OPTION_MAKE) : make,
			   "crash", line_value(line, OPTION_CRASH), "hang",
			   line_value(line, OPTION_HANG), "words", words, "own_kernel",
			   bisect_names_kernel(line->operands));
	if (whole)
		return record;
	json_decref(record);
	return NULL;
}

static int bisect_begin(const struct parsed_line *line, struct bisect_state *s, struct error **err)
{
	_cleanup_free_ char *tree = realpath(line_value(line, OPTION_TREE), NULL);
	_cleanup_free_ char *good = NULL, *bad = NULL;
	unsigned int steps = 0, trials, repeats;
	json_t *record;

	if (!tree)
		return error_errno(err, ERR_INPUT, "--tree %s", line_value(line, OPTION_TREE));
	if (!line->operand_count)
		return error_set(err, ERR_INPUT, "the tests are missing: give them after --");
	if (bisect_number(line, OPTION_TRIALS, &trials, err) < 0 ||
	    bisect_number(line, OPTION_REPEAT, &repeats, err) < 0 ||
	    !(good = git_commit(tree, line_value(line, OPTION_GOOD), err)) ||
	    !(bad = git_commit(tree, line_value(line, OPTION_BAD), err)) ||
	    bisect_check_ends(tree, good, bad, err) < 0 ||
	    bisect_count_steps(tree, good, bad, &steps, err) < 0)
		return -1;
	record = bisect_describe(line, tree, good, bad);
	if (!record)
		return error_set(err, ERR_INPUT, "a word of the command line is not UTF-8");
	if (bisect_state_make(s, err) < 0) {
		json_decref(record);
		return -1;
	}
	s->record = record;
	json_object_set_new(s->record, "steps", json_integer(steps));
	json_object_set_new(s->record, "trials", json_integer(trials));
	json_object_set_new(s->record, "given_repeats", json_integer(repeats));
	return bisect_keep_config(s, line, tree, err) < 0 || bisect_state_write(s, err) < 0 ? -1
											    : 0;
}

/* A resumed bisect keeps its options. */
static int bisect_reopen(const struct parsed_line *line, struct bisect_state *s, struct error **err)
{
	static const int allowed[] = { OPTION_RESUME, OPTION_JSON, OPTION_QUIET, OPTION_COLOR };

	if (line_check_resumed(line, allowed, sizeof(allowed) / sizeof(*allowed), "bisect", err) <
		    0 ||
	    bisect_state_open(s, line_value(line, OPTION_RESUME), true, err) < 0)
		return -1;
	if (json_object_get(s->record, "suspects"))
		return error_set(err, ERR_INPUT, "bisect %s has ended", s->id);
	if (chdir(bisect_state_text(s, "directory")) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot go back to %s",
				   bisect_state_text(s, "directory"));
	return 0;
}

/* --- the result ----------------------------------------------------------------------------- */

static json_t *bisect_result(const struct bisect_state *s)
{
	json_t *result = json_object();

	if (!result)
		return NULL;
	json_object_set_new(result, "bisect", json_text(s->id));
	for (const char *const *key =
		     (const char *const[]){ "tree", "good", "bad", "repeats", NULL };
	     *key; key++)
		json_object_set(result, *key, json_object_get(s->record, *key));
	json_object_set(result, "suspects", json_object_get(s->record, "suspects"));
	json_object_set_new(result, "steps", bisect_state_steps(s, NULL));
	return result;
}

static void bisect_print(const struct bisect_state *s)
{
	const json_t *suspects = json_object_get(s->record, "suspects");
	size_t count = json_array_size(suspects);

	if (count == 1)
		style_print(stdout, STYLE_HEADING, "The first bad commit:\n");
	else
		style_print(stdout, STYLE_WARNING,
			    "One of these %zu commits is the first bad one. No kernel between them "
			    "could be tested:\n",
			    count);
	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(suspects, i);

		printf("  %s %s\n", json_string_value(json_object_get(one, "commit")),
		       json_string_value(json_object_get(one, "subject")));
	}
	printf("Each step, with the run that tested it: %s/steps.jsonl\n", s->path);
}

/* The result is known and must not get lost because the worktree stays. */
static void bisect_clean_up(const struct bisect_search *b)
{
	_cleanup_error_ struct error *err = NULL;

	if (bisect_finish(b, &err) < 0)
		style_print(stderr, STYLE_WARNING, "rootlet bisect: the worktree stays: %s\n",
			    error_text(err));
}

static int bisect_end(const struct bisect_search *b, const struct parsed_line *line,
		      struct error **err)
{
	struct bisect_state *s = b->state;
	json_t *suspects = bisect_suspects(b, err);
	size_t count = json_array_size(suspects);

	if (!suspects)
		return -1;
	json_object_set_new(s->record, "suspects", suspects);
	if (bisect_state_write(s, err) < 0)
		return -1;
	bisect_clean_up(b);
	if (line_has(line, OPTION_JSON))
		return event_result(bisect_result(s), count == 1 ? EXIT_OK : EXIT_FAILED);
	bisect_print(s);
	return count == 1 ? EXIT_OK : EXIT_FAILED;
}

/* --- the command ---------------------------------------------------------------------------- */

/* Whether --resume can continue after ERR. BEGUN: the record has been read or written. */
static bool bisect_can_go_on(const struct bisect_search *b, bool begun, const struct error *err)
{
	if (!begun || json_object_get(b->state->record, "suspects"))
		return false;
	/* Nothing can be continued if the ends are not what the user said. Once they are tested,
	 * the worktree has what git bisect knows. */
	return !err || err->code != ERR_INPUT || bisect_ends_tested(b);
}

static int bisect_fail(const struct parsed_line *line, const struct bisect_search *b, bool begun,
		       const struct error *err)
{
	const struct bisect_state *s = b->state;
	bool can_go_on = bisect_can_go_on(b, begun, err);
	int status = report_error("bisect", err);

	if (can_go_on)
		fprintf(stderr, "rootlet bisect: to continue: rootlet bisect --resume %s\n", s->id);
	else if (begun)
		bisect_finish(b, NULL);
	if (!line_has(line, OPTION_JSON))
		return status;
	return event_failure(can_go_on ? json_pack("{s:o}", "bisect", json_text(s->id))
				       : json_object(),
			     err, status);
}

static int command_bisect(const struct parsed_line *line)
{
	_cleanup_(bisect_state_close) struct bisect_state state = BISECT_STATE_NONE;
	_cleanup_error_ struct error *err = NULL;
	struct bisect_search search = {
		.state = &state,
		.mode = line_has(line, OPTION_QUIET)  ? PROGRESS_QUIET
			: line_has(line, OPTION_JSON) ? PROGRESS_JSON
						      : PROGRESS_AUTO,
	};
	int status;
	bool begun;

	interrupt_catch();
	git_forget_environment();
	begun = (line_has(line, OPTION_RESUME) ? bisect_reopen(line, &state, &err)
					       : bisect_begin(line, &state, &err)) == 0;
	if (!begun || bisect_prepare(&search, &err) < 0 || bisect_ends(&search, &err) < 0 ||
	    bisect_between(&search, &err) < 0)
		return bisect_fail(line, &search, begun, err);
	status = bisect_end(&search, line, &err);
	return status < 0 ? bisect_fail(line, &search, begun, err) : status;
}

const struct command bisect_command = {
	.name = "bisect",
	.summary = "find the commit that made a test of fstests fail",
	.about =
		"Builds kernels of a git repository and runs fstests on them, until it knows at "
		"which commit the tests began to fail. What follows -- is a command line for "
		"rootlet fstests: its options, then the tests. Kernels are built in a worktree of "
		"their own. A kernel that does not build or boot is skipped. In COMMAND and in the "
		"words after --, {} stands for the worktree. If you name another --kernel there, "
		"it is not the kernel that is built, for example a module in --overlay {}/out.",
	.statuses = "0 found; 1 not found; 2 wrong command line, or the ends do not differ; 7 the "
		    "disk is full, 130 interrupted: --resume continues.",
	.rows = bisect_rows,
	.operands = "[-- WORD…]",
	.run = command_bisect,
};
