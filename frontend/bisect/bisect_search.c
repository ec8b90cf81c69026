#include "frontend/bisect/bisect_search.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/bisect/bisect_git.h"
#include "frontend/bisect/bisect_plan.h"
#include "frontend/bisect/bisect_step.h"
#include "frontend/cli/directory.h"
#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "lib/error_wrap.h"

#define LABEL 48
#define ONLY_SKIPPED 2 /* git bisect: nothing is left that can be tested */

static char *search_worktree(const struct bisect_search *b, struct error **err)
{
	char *path = bisect_state_path(b->state, BISECT_WORKTREE);

	if (!path)
		error_no_memory(err);
	return path;
}

/* Runs git for its effect. */
static int search_git(const char *directory, const char *const *words, struct error **err)
{
	_cleanup_free_ char *printed = git_read(directory, words, err);

	return printed ? 0 : -1;
}

static int search_checkout(const char *worktree, const char *commit, struct error **err)
{
	return search_git(
		worktree,
		(const char *[]){ "checkout", "--quiet", "--force", "--detach", commit, NULL },
		err);
}

static int search_add_worktree(const struct bisect_search *b, const char *worktree,
			       struct error **err)
{
	return search_git(bisect_state_text(b->state, "tree"),
			  (const char *[]){ "worktree", "add", "--quiet", "--force", "--detach",
					    worktree, bisect_state_text(b->state, "bad"), NULL },
			  err);
}

bool bisect_ends_tested(const struct bisect_search *b)
{
	return json_is_true(json_object_get(b->state->record, "ends_tested"));
}

/* A git that was killed leaves its locks. No other process uses the worktree. */
static void search_unlock(const char *worktree)
{
	static const char *const locks[] = { "index.lock", "HEAD.lock" };

	for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		_cleanup_error_ struct error *ignored = NULL;
		_cleanup_free_ char *path =
			git_read(worktree,
				 (const char *[]){ "rev-parse", "--path-format=absolute",
						   "--git-path", locks[i], NULL },
				 &ignored);

		if (path)
			unlink(path);
	}
}

/* A git that was killed while it checked out a commit leaves files of two commits. Afterwards they
 * are all of one: the one that git bisect wants, or else that HEAD names. */
static int search_repair(const char *worktree, struct error **err)
{
	_cleanup_error_ struct error *none = NULL;
	_cleanup_free_ char *wanted = git_commit(worktree, "BISECT_EXPECTED_REV", &none);

	search_unlock(worktree);
	return search_checkout(worktree, wanted ? wanted : "HEAD", err);
}

/* Whether `git worktree add` has not come to its end. Without the file .git, git would take a
 * repository around the directory. */
static bool search_is_unfinished(const struct bisect_search *b, const char *worktree)
{
	_cleanup_error_ struct error *why = NULL;
	_cleanup_free_ char *commit = NULL;

	if (bisect_ends_tested(b))
		return false;
	if (!tree_has(b->state->fd, BISECT_WORKTREE "/.git", S_IFREG))
		return true;
	commit = git_commit(worktree, "HEAD", &why);
	return !commit && why && why->code == ERR_INPUT;
}

int bisect_prepare(const struct bisect_search *b, struct error **err)
{
	_cleanup_free_ char *worktree = search_worktree(b, err);

	if (!worktree)
		return -1;
	if (access(worktree, F_OK) < 0)
		return search_add_worktree(b, worktree, err);
	if (!search_is_unfinished(b, worktree))
		return search_repair(worktree, err);
	if (dir_remove(b->state->fd, BISECT_WORKTREE) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot remove %s", worktree);
	return search_add_worktree(b, worktree, err);
}

/* --- the ends ------------------------------------------------------------------------------- */

static int search_set_number(const struct bisect_search *b, const char *key, json_int_t value,
			     struct error **err)
{
	json_object_set_new(b->state->record, key, json_integer(value));
	return bisect_state_write(b->state, err);
}

static json_int_t search_number(const struct bisect_search *b, const char *key)
{
	return json_integer_value(json_object_get(b->state->record, key));
}

static int search_bad_end(const struct bisect_search *b, const char *worktree, struct error **err)
{
	json_int_t repeats = search_number(b, "given_repeats");
	json_int_t trials = repeats ? repeats : search_number(b, "trials");
	const char *bad = bisect_state_text(b->state, "bad");
	struct bisect_step step;

	if (search_checkout(worktree, bad, err) < 0 ||
	    bisect_step_run(b->state, "the bad end", (unsigned int)trials, repeats > 0, b->mode,
			    &step, err) < 0)
		return -1;
	if (step.verdict == BISECT_SKIP)
		return error_set(err, ERR_INPUT, "--bad %.12s cannot be tested: %s", bad, step.why);
	if (step.verdict == BISECT_GOOD)
		return error_set(err, ERR_INPUT,
				 "--bad %.12s passed all tests, %zu of %zu times; if they fail "
				 "rarely, pass a larger --trials",
				 bad, step.trials.total - step.trials.failed, step.trials.total);
	if (!repeats && step.crashed)
		repeats = 1;
	else if (!repeats)
		repeats = bisect_repeats(wilson_interval(step.trials).low,
					 (unsigned int)search_number(b, "steps"));
	if (!repeats)
		return error_set(err, ERR_INPUT,
				 "the tests failed %zu of %zu times at the bad end: that is too "
				 "rare for a bisect",
				 step.trials.failed, step.trials.total);
	return search_set_number(b, "repeats", repeats, err);
}

static int search_good_end(const struct bisect_search *b, const char *worktree, struct error **err)
{
	const char *good = bisect_state_text(b->state, "good");
	struct bisect_step step;

	if (search_checkout(worktree, good, err) < 0 ||
	    bisect_step_run(b->state, "the good end", (unsigned int)search_number(b, "repeats"),
			    true, b->mode, &step, err) < 0)
		return -1;
	if (step.verdict != BISECT_GOOD)
		return error_set(err, ERR_INPUT, "--good %.12s is %s: %s", good,
				 bisect_verdict_name(step.verdict), step.why);
	json_object_set_new(b->state->record, "ends_tested", json_true());
	return bisect_state_write(b->state, err);
}

int bisect_ends(const struct bisect_search *b, struct error **err)
{
	_cleanup_free_ char *worktree = search_worktree(b, err);

	if (!worktree)
		return -1;
	if (bisect_ends_tested(b))
		return 0;
	if (!search_number(b, "repeats") && search_bad_end(b, worktree, err) < 0)
		return -1;
	return search_good_end(b, worktree, err);
}

/* --- between them --------------------------------------------------------------------------- */

static int search_start(const struct bisect_search *b, const char *worktree, struct error **err)
{
	_cleanup_error_ struct error *none = NULL;
	_cleanup_free_ char *under_way =
		git_read(worktree, (const char *[]){ "bisect", "log", NULL }, &none);

	if (under_way)
		return 0;
	return search_git(worktree,
			  (const char *[]){ "bisect", "start", bisect_state_text(b->state, "bad"),
					    bisect_state_text(b->state, "good"), "--", NULL },
			  err);
}

/* Whether git bisect has found the commit, or has given up. */
static bool search_has_ended(const char *log)
{
	return strstr(log, "\n# first bad commit: [") || strstr(log, "\n# only skipped commits");
}

static int search_tell_git(const char *worktree, enum bisect_verdict verdict, struct error **err)
{
	static const char *const words[] = { "good", "bad", "skip" };
	int status = git_status(worktree, (const char *[]){ "bisect", words[verdict], NULL }, err);

	if (status == 0 || status == ONLY_SKIPPED)
		return 0;
	return status < 0 ? -1
			  : error_set(err, ERR_SYSTEM, "git bisect %s failed in %s with status %d",
				      words[verdict], worktree, status);
}

int bisect_between(const struct bisect_search *b, struct error **err)
{
	_cleanup_free_ char *worktree = search_worktree(b, err);

	if (!worktree || search_start(b, worktree, err) < 0)
		return -1;
	for (unsigned int number = 1;; number++) {
		_cleanup_free_ char *log =
			git_read(worktree, (const char *[]){ "bisect", "log", NULL }, err);
		struct bisect_step step;
		char label[LABEL];

		if (!log)
			return -1;
		if (search_has_ended(log))
			return 0;
		snprintf(label, sizeof(label), "step %u of about %u", number,
			 (unsigned int)search_number(b, "steps"));
		if (bisect_step_run(b->state, label, (unsigned int)search_number(b, "repeats"),
				    true, b->mode, &step, err) < 0 ||
		    search_tell_git(worktree, step.verdict, err) < 0)
			return -1;
	}
}

/* --- the end -------------------------------------------------------------------------------- */

/* LINE: "# first bad commit: [0123…] subject". */
static int search_add_suspect(json_t *suspects, char *line)
{
	char *commit = strchr(line, '['), *end = commit ? strchr(commit, ']') : NULL;

	if (!end)
		return 0;
	*end = '\0';
	end += 1 + (end[1] == ' ');
	return json_array_append_new(suspects,
				     json_pack("{s:o, s:o}", "commit", json_text(commit + 1),
					       "subject", json_text(text_clean(end))));
}

json_t *bisect_suspects(const struct bisect_search *b, struct error **err)
{
	_cleanup_free_ char *worktree = search_worktree(b, err);
	_cleanup_free_ char *log =
		worktree ? git_read(worktree, (const char *[]){ "bisect", "log", NULL }, err)
			 : NULL;
	json_t *suspects = log ? json_array() : NULL;
	char *rest = log, *line;

	while (suspects && (line = strsep(&rest, "\n")))
		if (text_has_prefix(line, "# first bad commit: ") ||
		    text_has_prefix(line, "# possible first bad commit: "))
			search_add_suspect(suspects, line);
	if (log && !suspects)
		error_no_memory(err);
	return suspects;
}

int bisect_finish(const struct bisect_search *b, struct error **err)
{
	_cleanup_free_ char *worktree = search_worktree(b, err);

	return worktree ? search_git(bisect_state_text(b->state, "tree"),
				     (const char *[]){ "worktree", "remove", "--force", worktree,
						       NULL },
				     err)
			: -1;
}
