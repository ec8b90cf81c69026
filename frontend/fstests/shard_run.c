#include "frontend/fstests/shard_run.h"

#include <fcntl.h>
#include <string.h>

#include "frontend/cli/text.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

int shard_run_read(struct fstests_run *run, struct error **err)
{
	const char *path = run->options->durations;
	_cleanup_error_ struct error *why = NULL;

	if (!path || durations_read(path, &run->given, &why) == 0)
		return 0;
	if (why->code == ERR_INPUT) {
		progress_note(run->progress, "ignoring --durations: %s", why->message);
		return 0;
	}
	why->code = ERR_INPUT;
	if (err)
		*err = STEAL_PTR(why);
	return error_wrap(err, "--durations");
}

/* The given durations, unless they are of another suite: they would make the plan depend on a file
 * that says nothing about it. */
static const struct durations *durations_of_suite(const struct fstests_run *run)
{
	for (size_t i = 0; run->given && i < run->plan.count; i++)
		if (durations_has(run->given, run->plan.list[i].name))
			return run->given;
	if (run->given && run->plan.count)
		progress_note(run->progress,
			      "ignoring --durations %s: no test of this run is in it",
			      run->options->durations);
	return NULL;
}

static int shard_run_keep(const struct fstests_run *run, struct error **err)
{
	_cleanup_close_ int fd =
		openat(run->dir.fd, RUN_PLAN, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || write_all(fd, run->shard.text, strlen(run->shard.text)) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write %s/" RUN_PLAN, run->dir.path);
	return 0;
}

static void shard_run_note(const struct fstests_run *run)
{
	const struct shard *s = &run->shard;
	char duration[TEXT_DURATION_LEN];

	if (s->count)
		progress_note(run->progress, "part %u of %u: %zu of %zu tests, about %s", s->part,
			      s->parts, s->count, s->all,
			      text_duration((uint64_t)s->seconds, duration));
	else
		progress_note(run->progress, "part %u of %u is empty: there are only %zu tests",
			      s->part, s->parts, s->all);
}

int shard_run_cut(struct fstests_run *run, struct error **err)
{
	if ((!run->groups && test_groups_read(run->tree, &run->groups, err) < 0) ||
	    shard_cut(&run->shard, &run->plan, run->groups, durations_of_suite(run), err) < 0 ||
	    shard_run_keep(run, err) < 0)
		return -1;
	shard_run_note(run);
	return 0;
}

json_t *shard_to_json(const struct shard *shard)
{
	json_t *object = json_pack("{s:I, s:I}", "part", (json_int_t)shard->part, "parts",
				   (json_int_t)shard->parts);

	if (shard->text) {
		json_object_set_new(object, "plan", json_string(shard->hash));
		json_object_set_new(object, "tests", json_integer((json_int_t)shard->count));
		json_object_set_new(object, "tests_of_all", json_integer((json_int_t)shard->all));
	}
	return object;
}
