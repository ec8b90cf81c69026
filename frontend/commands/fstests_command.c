/* rootlet fstests: a run from start to summary. */
#include <string.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/commands/cluster_line.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/fstests_cluster.h"
#include "frontend/commands/fstests_excuses.h"
#include "frontend/commands/fstests_line.h"
#include "frontend/commands/fstests_missing.h"
#include "frontend/commands/fstests_record.h"
#include "frontend/fstests/check_session.h"
#include "frontend/fstests/configuration_catalogue.h"
#include "frontend/fstests/run_excludes.h"
#include "frontend/fstests/second_pass.h"
#include "frontend/fstests/summary.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel_tree.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"

/* Hands the run to the cluster, and records where it is, so that it can be resumed. */
static int run_on_cluster(struct fstests_job *j, json_t *record, struct error **err)
{
	if (!j->shared) {
		if (asprintf(&j->shared, "%s/%s", j->cluster.directory, j->run.dir.id) < 0)
			return error_no_memory(err);
		json_object_set_new(record, "cluster",
				    json_pack("{s:s, s:s}", "engine", j->cluster.engine,
					      "directory", j->shared));
		/* The user finds it there if this process is killed. */
		if (run_dir_write(&j->run.dir, record, err) < 0 ||
		    submission_prepare(&j->run, &j->cluster, err) < 0)
			return -1;
	}
	return submission_run(&j->run, &j->cluster, j->shared, err);
}

static int exit_of(const struct error *err)
{
	return err && err->code == ERR_INTERRUPTED ? FSTESTS_INTERRUPTED
	       : err && err->code == ERR_INPUT	   ? FSTESTS_USAGE
						   : FSTESTS_NOT_RUN;
}

/* ENDED: the result event has been printed already. */
static int fstests_report(const struct fstests_job *j, bool ended, const struct error *err)
{
	int status = exit_of(err);

	report_error("fstests", err);
	if (!j->options.json || ended)
		return status;
	return event_failure(json_pack("{s:o, s:s}", "run", json_text(j->run.dir.id), "status",
				       fstests_status_name(status)),
			     err, status);
}

/* Catches signals, and starts to show progress. */
static void begin_run(struct fstests_job *j)
{
	interrupt_catch();
	j->run.commanded = clock_precise();
	j->run.options = &j->options;
	j->run.progress = progress_new(j->options.json	  ? PROGRESS_JSON
				       : j->options.quiet ? PROGRESS_QUIET
							  : PROGRESS_AUTO);
	kernel_tree_note(j->run.progress, j->kernel_tree);
}

/* Installs what tests did not find. Returns whether tests can run again, or -1 with ERR set. */
static int install_missing(struct fstests_job *j, struct error **err)
{
	_cleanup_(manifest_free) struct manifest *manifest = NULL;
	struct missing_request request = {
		.name = j->options.name,
		.path = j->options.path,
		.keyring = j->options.keyring,
		.progress = j->run.progress,
	};
	int installed;

	if (not_run_collect(&j->run.results, &j->lackings) < 0)
		return error_no_memory(err);
	if (!j->lackings.count)
		return 0;
	/* No change can be made while the rootfs is locked. */
	manifest = STEAL_PTR(j->rootfs.manifest);
	request.manifest = manifest;
	rootfs_close(&j->rootfs);
	installed = missing_install(&request, &j->lackings, err);
	if (installed <= 0) {
		j->rootfs.manifest = STEAL_PTR(manifest);
		return installed;
	}
	if (fstests_job_reopen_root(j, err) < 0)
		return -1;
	return second_pass_plan(&j->run, &j->lackings, err);
}

/* Runs the tests here, and those again for which a package was missing. Returns the exit status, or
 * -1 with ERR set. */
static int run_here(struct fstests_job *j, json_t *record, struct error **err)
{
	int status = fstests_session(&j->run, err), again;

	if (!j->options.install_missing || (status != FSTESTS_PASSED && status != FSTESTS_FAILED) ||
	    interrupt_caught())
		return status;
	again = install_missing(j, err);
	if (again <= 0)
		return again < 0 ? -1 : status;
	if (fstests_describe_identity(j, record, err) < 0)
		return -1;
	return fstests_session(&j->run, err);
}

/* Runs the tests of a run whose directory is open, and releases RECORD, its run.json. */
static int fstests_run_opened(struct fstests_job *j, json_t *record)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_error_ struct error *late = NULL;
	int status =
		j->cluster.engine ? run_on_cluster(j, record, &err) : run_here(j, record, &err);
	int excused;

	if (status < 0)
		status =
			err && err->code == ERR_INTERRUPTED ? FSTESTS_INTERRUPTED : FSTESTS_NOT_RUN;
	excused = fstests_excuse(j, status, &late);
	if (fstests_finish(j, record, excused < 0 ? status : excused, err, &late) < 0 ||
	    excused < 0)
		status = fstests_report(j, true, late);
	else
		status = excused;
	json_decref(record);
	if (err)
		report_error("fstests", err);
	return status;
}

static int fstests_run_tests(struct fstests_job *j)
{
	_cleanup_error_ struct error *err = NULL;
	json_t *record = NULL;

	begin_run(j);
	if (fstests_job_prepare(j, &err) < 0)
		return fstests_report(j, false, err);
	if (fstests_open_run(j, &record, &err) < 0) {
		json_decref(record);
		return fstests_report(j, false, err);
	}
	return fstests_run_opened(j, record);
}

/* Sets the number of guests, as far as it is known. */
static void use_cluster_jobs(struct fstests_job *j)
{
	unsigned int each = 0;

	if (j->cluster.jobs)
		sscanf(j->cluster.jobs, "%u", &each);
	j->options.jobs = j->cluster.tasks * (each ? each : 1);
}

/* --- a resumed run -------------------------------------------------------------------------- */

static int fstests_reopen(struct fstests_job *j, const char *name, json_t **record,
			  struct error **err)
{
	const char *directory, *types;

	if (fstests_job_baseline(j, err) < 0 || run_dir_resume(name, &j->run.dir, err) < 0)
		return -1;
	*record = run_dir_read(&j->run.dir, err);
	if (!*record)
		return -1;
	directory = json_string_value(
		json_object_get(json_object_get(*record, "cluster"), "directory"));
	if (!directory)
		return error_set(err, ERR_INPUT, "run %s did not run on a cluster", name);
	j->shared = strdup(directory);
	if (!j->shared)
		return error_no_memory(err);
	if (submission_read(j->shared, &j->kept, err) < 0)
		return error_wrap(err, "cannot resume run %s", name);
	types = json_string_value(json_object_get(*record, "fstype"));
	j->tested = strdup(types ? types : "");
	if (!j->tested)
		return error_no_memory(err);
	run_excludes_settle(&j->run.excludes,
			    json_string_value(json_object_get(*record, "kernel_version")),
			    j->tested, json_integer_value(json_object_get(*record, "began")));
	if (run_excludes_reopen(&j->run, err) < 0)
		return -1;
	/* A resumed run has no outcome yet. */
	json_object_del(*record, "status");
	return run_dir_write(&j->run.dir, *record, err);
}

static int fstests_resume(struct fstests_job *j, const char *name)
{
	_cleanup_error_ struct error *err = NULL;
	json_t *record = NULL;

	begin_run(j);
	if (fstests_reopen(j, name, &record, &err) < 0) {
		json_decref(record);
		return fstests_report(j, false, err);
	}
	j->cluster = j->kept.request;
	j->options.config = j->kept.options.config;
	j->run.words = j->kept.words;
	j->run.word_count = j->kept.word_count;
	j->run.tree = j->kept.tree ? j->kept.tree : "";
	use_cluster_jobs(j);
	fstests_job_durations(j);
	return fstests_run_opened(j, record);
}

static int read_shard(struct fstests_job *j, const struct parsed_line *line, struct error **err)
{
	const char *given = line_value(line, OPTION_SHARD);

	return given ? shard_parse(given, &j->run.shard, err) : 0;
}

static int read_count(struct fstests_job *j, const struct parsed_line *line, struct error **err)
{
	const struct guest_host host = guest_host_read();
	const char *memory = line_value(line, OPTION_MEMORY);
	char cpus[CPUS_TEXT];

	if (line_memory(line, &j->options.memory, err) < 0 || line_cpus(line, cpus, err) < 0 ||
	    guest_count_choose(&host, line_value(line, OPTION_JOBS),
			       line_sets(line, OPTION_CPUS) ? cpus : NULL,
			       line_sets(line, OPTION_MEMORY) ? memory : NULL, memory, &j->count,
			       err) < 0)
		return -1;
	j->options.jobs = j->count.guests;
	return 0;
}

/* Where it makes no sense, the file's default is ignored. */
static int read_upgrade(struct fstests_job *j, const struct parsed_line *line, struct error **err)
{
	const char *why = line_has(line, OPTION_SHARD) ? "--shard: every part needs the same rootfs"
			  : line_has(line, OPTION_CLUSTER)
				  ? "--cluster: all machines need the same rootfs, and one may be "
				    "running tests in it; run rootlet upgrade first"
			  : j->options.host_root ? "--host-root, which uses no rootfs"
						 : NULL;

	if (line_upgrade(line, &j->upgrade, err) < 0)
		return -1;
	if (why && line_has(line, OPTION_AUTO_UPGRADE) && j->upgrade.mode != UPGRADE_NEVER)
		return error_set(err, ERR_INPUT, "--auto-upgrade does not go with %s", why);
	if (why)
		j->upgrade.mode = UPGRADE_NEVER;
	return 0;
}

/* The pods of a cluster are not where this command was started. */
static int read_kernel(struct fstests_job *j, const struct parsed_line *line, struct error **err)
{
	if (!j->options.kernel && !(line_has(line, OPTION_CLUSTER) && !j->cluster.engine))
		j->kernel_tree = kernel_tree_find();
	if (j->kernel_tree)
		j->options.kernel = j->kernel_tree;
	return j->options.kernel ? 0 : kernel_tree_missing(err);
}

static int fstests_check_line(struct fstests_job *j, const struct parsed_line *line,
			      struct error **err)
{
	bool elsewhere = line_has(line, OPTION_CLUSTER);

	if (fstests_cluster_check(line, err) < 0 || fstests_read_line(&j->options, line, err) < 0 ||
	    cluster_read_line(line, &j->cluster, &j->cluster_directory, err) < 0)
		return -1;
	if (line_has(line, OPTION_RESUME))
		return fstests_check_resumed(line, err);
	if (read_kernel(j, line, err) < 0 ||
	    (j->options.configuration &&
	     catalogue_choose(j->options.configuration, &j->run.configurations, err) < 0))
		return -1;
	if (fstests_check_keyring(&j->options, line, err) < 0 || read_upgrade(j, line, err) < 0 ||
	    (!elsewhere && read_count(j, line, err) < 0) || read_shard(j, line, err) < 0)
		return -1;
	if (j->cluster.engine) {
		use_cluster_jobs(j);
		if (fstests_check_cluster(&j->options, &j->run.shard, err) < 0)
			return -1;
		/* Unlike in a pod, everything that the command line names is on this host. */
		elsewhere = false;
	}
	return fstests_check_combination(&j->options, &j->run.shard, &j->run.configurations,
					 elsewhere, err);
}

static int command_fstests(const struct parsed_line *line)
{
	static char *const quick[] = { (char *)(uintptr_t) "-g", (char *)(uintptr_t) "quick" };
	_cleanup_(fstests_job_clear) struct fstests_job j = {
		.options = { .tests = quick, .test_count = 2 },
		.rootfs = ROOTFS_NONE,
		.root = ROOT_NONE,
		.first = RUN_DIR_NONE,
		.run = { .dir = RUN_DIR_NONE },
	};
	_cleanup_error_ struct error *err = NULL;

	if (fstests_check_line(&j, line, &err) < 0)
		return report_usage(line->name, "%s", error_text(err));
	if (line_has(line, OPTION_CLUSTER) && !j.cluster.engine)
		return fstests_cluster_print(line, &j.options);
	if (line_has(line, OPTION_RESUME))
		return fstests_resume(&j, line_value(line, OPTION_RESUME));
	return fstests_run_tests(&j);
}

const struct command fstests_command = {
	.name = "fstests",
	.summary = "run fstests on a kernel and report the results",
	.about = "Boots a kernel in a guest with the users and packages of a rootfs, runs fstests "
		 "there, and reports what passed, failed and did not run. TEST… are arguments for "
		 "fstests' check: -g GROUP, -x GROUP, -X FILE, -e TESTS, -E FILE (anywhere on the "
		 "host), test names (default: -g quick); or the word smoke: the group "
		 "smoketest, each of its tests for three minutes. If a test crashes the kernel or "
		 "does not "
		 "end, that is recorded, and the remaining tests run in a new VM. Only the results "
		 "stay on the host.",
	.statuses = "0 all passed; 1 some failed; 2 wrong command line; 3 the kernel crashed; 4 a "
		    "test or the run took too long; 5 the tests could not be run; 130 "
		    "interrupted.",
	.rows = fstests_rows,
	.operands = "[-- TEST…]",
	.run = command_fstests,
	.acts = true,
};
