#include "frontend/commands/fstests_record.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "frontend/archive/sums.h"
#include "frontend/cli/events.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/commands/fstests_missing.h"
#include "frontend/fstests/junit.h"
#include "frontend/fstests/needs.h"
#include "frontend/fstests/run_excludes.h"
#include "frontend/fstests/run_identity.h"
#include "frontend/fstests/shard_run.h"
#include "frontend/fstests/summary.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/fstests/trace_decode.h"
#include "frontend/vm/kernel_features.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

static int write_result(const struct fstests_job *j, const char *name, const char *text,
			struct error **err)
{
	_cleanup_close_ int fd =
		openat(j->run.dir.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t size = strlen(text);

	if (fd < 0 || write_all(fd, text, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", j->run.dir.path);
	return 0;
}

/* Writes fstests' configuration, and the kernel's, in which tests look up options. */
static int copy_configs(const struct fstests_job *j, struct error **err)
{
	_cleanup_(kernel_features_free) struct kernel_features *features =
		kernel_features_read(j->rootfs.kernel);
	const char *kernel = kernel_config(features);

	if (kernel && write_result(j, RUN_RESULTS "/kernel.config", kernel, err) < 0)
		return -1;
	return j->run.config ? write_result(j, RUN_RESULTS "/local.config", j->run.config, err) : 0;
}

/* Writes what the guests read besides: files that check's arguments name, and what the programs of
 * fstests need. */
static int write_for_guests(struct fstests_job *j, struct error **err)
{
	_cleanup_close_ int results =
		openat(j->run.dir.fd, RUN_RESULTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (results < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", j->run.dir.path);
	if (check_words_write(&j->words, results, err) < 0)
		return -1;
	return needs_write(j->run.tree, results, err);
}

/* The parameters of the run. They are stored before it starts, so that a run that is cut off has
 * them too. */
static json_t *fstests_describe(const struct fstests_job *j)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < j->options.test_count; i++)
		json_array_append_new(tests, json_string(j->options.tests[i]));
	return json_pack("{s:s, s:I, s:s, s:s*, s:s*, s:s, s:s*, s:s, s:o, s:s}", "run",
			 j->run.dir.id, "began", (json_int_t)time(NULL), "kernel",
			 j->rootfs.kernel->image, "kernel_version", j->rootfs.kernel->version,
			 "boot", j->cluster.engine ? NULL : kernel_boot_name(j->rootfs.kernel),
			 "fstype", j->tested, "rootfs", j->rootfs.path, "fstests",
			 j->options.fstests, "tests", tests, "root",
			 j->root.vm.kind == VM_ROOT_IMAGE  ? "image"
			 : j->root.vm.kind == VM_ROOT_TREE ? "dir"
							   : "host");
}

/* The root image's digest. It is no part of the run's identity: images of one rootfs differ between
 * hosts, unless it was made from a lock. */
static void describe_image(const struct fstests_job *j, json_t *record)
{
	const char *path = j->root.vm.kind == VM_ROOT_IMAGE ? j->root.vm.path : NULL;
	const char *slash = path ? strrchr(path, '/') : NULL;
	_cleanup_free_ char *parent = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	_cleanup_close_ int directory =
		parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	char hex[2 * SHA256_LEN + 1];

	if (directory >= 0 && sums_recorded(directory, slash + 1, hex))
		json_object_set_new(record, "image", json_string(hex));
}

/* What rootlet runs merge compares. */
int fstests_describe_identity(const struct fstests_job *j, json_t *record, struct error **err)
{
	json_t *identity = run_identity(&j->run, j->rootfs.manifest, &j->root, j->tested, err);

	describe_image(j, record);
	if (j->rootfs.manifest)
		json_object_set_new(record, "generation",
				    json_integer((json_int_t)j->rootfs.manifest->generation));
	return identity ? json_object_set_new(record, "identity", identity) : -1;
}

static int describe_shard(const struct fstests_job *j, json_t *record, struct error **err)
{
	if (!j->run.shard.parts ||
	    json_object_set_new(record, "shard", shard_to_json(&j->run.shard)) == 0)
		return 0;
	return error_no_memory(err);
}

/* KASAN and KMSAN map one page at billions of addresses: qemu would list them one by one. */
static bool kernel_has_shadow(const struct fstests_job *j)
{
	_cleanup_(kernel_features_free) struct kernel_features *features =
		kernel_features_read(j->rootfs.kernel);

	return !kernel_config(features) ||
	       kernel_feature(features, "KASAN", "kasan") == FEATURE_BUILTIN ||
	       kernel_feature(features, "KMSAN", "kmsan") == FEATURE_BUILTIN;
}

int fstests_open_run(struct fstests_job *j, json_t **record, struct error **err)
{
	_cleanup_free_ char *first = strndup(j->tested, strcspn(j->tested, ","));

	if (!first)
		return error_no_memory(err);
	if (run_dir_make(first, j->options.results, &j->run.dir, err) < 0 ||
	    copy_configs(j, err) < 0)
		return -1;
	if (write_for_guests(j, err) < 0 || run_excludes_keep(&j->run, err) < 0)
		return -1;
	if (asprintf(&j->results_share, "%s/" RUN_RESULTS, j->run.dir.path) < 0)
		return error_no_memory(err);
	fstests_job_add_share(j, j->results_share, RESULTS_SHARE, false);
	if (j->options.dump_on_crash) {
		j->run.vm.dump = true;
		j->run.vm.dump_directory = j->run.dir.fd;
		j->run.vm.dump_virtual = !kernel_has_shadow(j);
	}
	*record = fstests_describe(j);
	if (!*record)
		return error_no_memory(err);
	if (fstests_describe_identity(j, *record, err) < 0 || describe_shard(j, *record, err) < 0)
		return -1;
	return run_dir_write(&j->run.dir, *record, err);
}

static void print_baseline(const struct fstests_job *j, json_t *summary)
{
	json_object_set_new(summary, "baseline", comparison_to_json(&j->comparison));
	if (j->options.json)
		return;
	printf("\nsince run %s:\n", j->first.id);
	comparison_print(stdout, &j->comparison);
}

/* Source lines only help to read the traces: without them, the run is as good. */
static void decode_traces(struct fstests_job *j)
{
	_cleanup_free_ char *build =
		j->rootfs.kernel ? kernel_build_directory(j->rootfs.kernel) : NULL;
	_cleanup_error_ struct error *err = NULL;

	if (build && trace_decode(&j->run.kernel, build, &j->run.dir, &err) < 0)
		progress_note_error(j->run.progress, err);
}

static void collect_coverage(struct fstests_job *j)
{
	_cleanup_free_ char *build =
		j->rootfs.kernel ? kernel_build_directory(j->rootfs.kernel) : NULL;
	_cleanup_error_ struct error *err = NULL;

	if (!j->options.gcov)
		return;
	progress_stage(j->run.progress, "Reading what gcov counted");
	if (coverage_collect(&j->run.dir, build, &j->run.coverage, &err) < 0)
		progress_note(j->run.progress, "%s", error_text(err));
}

/* Stores and prints the outcome of the run. WHY: why the tests could not be run, or NULL. */
int fstests_finish(struct fstests_job *j, json_t *record, int status, const struct error *why,
		   struct error **err)
{
	json_t *summary;
	int r;

	decode_traces(j);
	collect_coverage(j);
	summary = summary_to_json(&j->run, status);
	progress_end(j->run.progress);
	if (j->options.install_missing)
		json_object_set_new(summary, "missing", missing_to_json(&j->lackings));
	json_object_update(record, summary);
	if (*j->run.boot)
		json_object_set_new(record, "boot", json_string(j->run.boot));
	r = describe_shard(j, record, err);
	if (run_dir_finish(&j->run.dir, record, err) < 0)
		r = -1;
	if (!j->options.json && (j->run.results.count || j->run.shard.text))
		summary_print(&j->run, status);
	if (!j->options.json)
		missing_print(&j->lackings,
			      j->rootfs.manifest ? j->rootfs.manifest->suite : "the release");
	if (j->options.baseline)
		print_baseline(j, summary);
	if (j->options.json && why)
		event_failure(summary, why, status);
	else if (j->options.json)
		event_result(summary, status);
	else
		json_decref(summary);
	if (j->options.junit &&
	    junit_write(j->options.junit, &j->run.results, j->run.dir.id, record, err) < 0)
		r = -1;
	return r;
}
