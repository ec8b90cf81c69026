#include "frontend/commands/fstests_job.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/fstests/config.h"
#include "frontend/fstests/configuration_needs.h"
#include "frontend/fstests/configuration_text.h"
#include "frontend/fstests/run_durations.h"
#include "frontend/fstests/run_excludes.h"
#include "frontend/fstests/shard_run.h"
#include "frontend/vm/kernel_features.h"
#include "frontend/vm/kvm.h"
#include "lib/error_wrap.h"

void fstests_job_clear(struct fstests_job *j)
{
	rootfs_close(&j->rootfs);
	progress_free(&j->run.progress);
	run_dir_close(&j->run.dir);
	fstests_run_clear(&j->run);
	results_clear(&j->baseline);
	run_dir_close(&j->first);
	comparison_clear(&j->comparison);
	for (size_t i = 0; i < DEVICES_MAX; i++)
		free(j->device_paths[i]);
	free(j->results_share);
	free(j->kernel_tree);
	free(j->fstypes);
	free(j->tested);
	source_free(&j->source);
	check_words_clear(&j->words);
	root_free(&j->root);
	free(j->options.append);
	lackings_clear(&j->lackings);
	submission_kept_clear(&j->kept);
	free(j->cluster_directory);
	free(j->shared);
}

void fstests_job_add_share(struct fstests_job *j, const char *host, const char *guest,
			   bool read_only)
{
	j->shares[j->run.vm.share_count++] = (struct vm_share){ host, guest, read_only };
}

/* Reads the configuration, or composes it. */
static int prepare_config(struct fstests_job *j, struct error **err)
{
	const struct configurations *c = &j->run.configurations;
	const struct fstests_options *o = &j->options;

	if (c->count) {
		j->run.config = configurations_compose(c);
		j->fstypes = configurations_types(c);
	} else {
		if (o->config &&
		    !(j->run.config = file_read(o->config, FSTESTS_CONFIG_MOST, NULL, err)))
			return error_wrap(err, "--config");
		j->fstypes = config_types(o->fstype, j->run.config);
	}
	j->tested = config_tested(o->fstype, j->run.config);
	return j->fstypes && j->tested ? 0 : error_no_memory(err);
}

/* What a guest would only find out later. */
static int check_configurations(const struct fstests_job *j, struct error **err)
{
	const struct configurations *c = &j->run.configurations;

	if (configurations_check_kernel(c, j->rootfs.kernel, err) < 0)
		return -1;
	return j->rootfs.manifest ? configurations_check_packages(c, j->rootfs.manifest, err) : 0;
}

/* Checks the sources and the arguments before an image is built for them. */
static int read_words(struct fstests_job *j, struct error **err)
{
	const struct fstests_options *o = &j->options;

	if (source_check(o, err) < 0 ||
	    check_words_read(o->tests, o->test_count, o->fstests, &j->words, err) < 0)
		return -1;
	j->run.words = j->words.words;
	j->run.word_count = j->words.count;
	return 0;
}

static struct root_wish root_wish_of(const struct fstests_job *j)
{
	return (struct root_wish){
		.rootfs = &j->rootfs,
		.transport = j->cluster.engine ? ROOT_IMAGE : j->options.transport,
		.fstypes = j->fstypes,
		.overlays = j->options.overlays,
		.no_virtiofs = j->options.force_9p,
		.progress = j->run.progress,
	};
}

static struct rootfs_choice rootfs_choice_of(const struct fstests_job *j)
{
	return (struct rootfs_choice){
		.name = j->options.name,
		.path = j->options.path,
		.kernel = j->options.kernel,
		.keyring = j->options.keyring,
		.wait = j->upgrade.mode != UPGRADE_NEVER,
		.progress = j->run.progress,
	};
}

/* The guest also finds out, but only once it has booted. */
static int check_kernel_option(const struct fstests_job *j, const char *option, const char *needs,
			       struct error **err)
{
	_cleanup_(kernel_features_free) struct kernel_features *features =
		kernel_features_read(j->rootfs.kernel);

	if (!kernel_config(features) || kernel_feature(features, needs, needs) == FEATURE_BUILTIN)
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s: kernel %s lacks CONFIG_%s; fix: build one that has it", option,
			 j->rootfs.kernel->version, needs);
}

static int check_kernel_options(const struct fstests_job *j, struct error **err)
{
	if (j->options.kmemleak && check_kernel_option(j, "--kmemleak", "DEBUG_KMEMLEAK", err) < 0)
		return -1;
	return j->options.gcov ? check_kernel_option(j, "--gcov", "GCOV_KERNEL", err) : 0;
}

static int prepare_root(struct fstests_job *j, struct error **err)
{
	const struct fstests_options *o = &j->options;
	const struct root_wish wish = root_wish_of(j);
	const struct rootfs_choice choice = rootfs_choice_of(j);

	if (o->host_root) {
		j->root.vm = (struct vm_root){ .kind = VM_ROOT_HOST, .path = "/" };
		if (kernel_open(o->kernel, &j->rootfs.kernel, err) < 0)
			return -1;
		if (j->rootfs.kernel->modules)
			fstests_job_add_share(j, j->rootfs.kernel->modules, MODULES_SHARE, true);
		return check_kernel_options(j, err) < 0 || check_configurations(j, err) < 0
			       ? -1
			       : read_words(j, err);
	}
	j->upgrade.progress = j->run.progress;
	if (auto_upgrade(&j->upgrade, err) < 0 || rootfs_open(&choice, &j->rootfs, err) < 0 ||
	    check_kernel_options(j, err) < 0 || check_configurations(j, err) < 0 ||
	    read_words(j, err) < 0 || root_prepare(&wish, &j->root, err) < 0)
		return -1;
	helper_stop(&j->rootfs.helper);
	return 0;
}

static int add_device(struct fstests_job *j, unsigned int number, struct error **err)
{
	const struct fstests_options *o = &j->options;
	struct vm_disk *disk = &j->disks[j->run.vm.disk_count++];
	struct stat st;

	*disk = fstests_device(o, number);
	if (number >= o->device_path_count)
		return 0;
	j->device_paths[number] = realpath(o->device_paths[number], NULL);
	if (!j->device_paths[number] || stat(j->device_paths[number], &st) < 0)
		return error_errno(err, ERR_INPUT, "--device %s", o->device_paths[number]);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return error_set(err, ERR_INPUT,
				 "--device %s: neither a block device nor a regular file",
				 o->device_paths[number]);
	if (access(j->device_paths[number], R_OK | W_OK) < 0)
		return error_errno(err, ERR_INPUT, "--device %s", o->device_paths[number]);
	disk->path = j->device_paths[number];
	return 0;
}

static int prepare_vm(struct fstests_job *j, struct error **err)
{
	struct vm_config *vm = &j->run.vm;
	char why[128];

	vm->root = j->root.vm;
	vm->kernel = j->rootfs.kernel;
	vm->memory = j->count.memory;
	vm->cpus = j->count.cpus;
	vm->append = j->options.append;
	vm->vng_words = j->options.vng_words;
	vm->unsealed = j->options.unsealed;
	vm->gdb = j->options.gdb;
	vm->shares = j->shares;
	vm->disks = j->disks;
	for (unsigned int i = 0; i < j->options.device_count; i++)
		if (add_device(j, i, err) < 0)
			return -1;
	if (j->source.image)
		j->disks[vm->disk_count++] = (struct vm_disk){ .name = FSTESTS_DISK,
							       .path = j->source.image,
							       .read_only = true };
	else
		fstests_job_add_share(j, j->source.dir, FSTESTS_SHARE, true);
	j->run.source = j->source.text;
	j->run.tree = j->source.dir;
	vm->boot_timeout = j->options.boot_timeout;
	vm->kvm = !j->cluster.engine && kvm_runs(why, sizeof(why));
	if (!vm->kvm && !j->cluster.engine)
		progress_note(j->run.progress, "no KVM (%s): the guest is emulated, and slow", why);
	/* A cluster's tasks choose for their own hosts. */
	return j->cluster.engine
		       ? 0
		       : kernel_choose_boot(j->rootfs.kernel, j->options.boot, vm->kvm, err);
}

/* Reads how long each test took: as --durations says, else in the newest runs of the same
 * filesystem, else in any. */
void fstests_job_durations(struct fstests_job *j)
{
	_cleanup_free_ char *first = strndup(j->tested, strcspn(j->tested, ","));

	test_groups_read(j->run.tree, &j->run.groups, NULL);
	j->run.durations = durations_new();
	for (size_t i = 0; j->run.durations && j->run.given && i < durations_count(j->run.given);
	     i++) {
		const struct duration d = durations_at(j->run.given, i);

		durations_add(j->run.durations, d.section, d.name, d.seconds);
	}
	if (first && j->run.durations)
		durations_add_runs(j->run.durations, first, NULL);
}

/* Called before this run's directory is made, so that "last" is the previous run. */
int fstests_job_baseline(struct fstests_job *j, struct error **err)
{
	if (!j->options.baseline)
		return 0;
	if (run_dir_open(j->options.baseline, &j->first, err) < 0 ||
	    run_dir_check_record(&j->first, err) < 0 ||
	    results_read(j->first.fd, RUN_TESTS, &j->baseline, err) < 0) {
		if (*err)
			(*err)->code = ERR_INPUT;
		return error_wrap(err, "--baseline");
	}
	return 0;
}

/* The user's come first: the first entry that is about a test gives the reason. */
static int read_excludes(struct fstests_job *j, struct error **err)
{
	const struct configurations *c = &j->run.configurations;

	if (run_excludes_read(&j->run.excludes, j->options.excludes, err) < 0)
		return -1;
	for (size_t i = 0; i < c->count; i++)
		if (run_excludes_add(&j->run.excludes, &c->list[i], err) < 0)
			return -1;
	return 0;
}

int fstests_job_prepare(struct fstests_job *j, struct error **err)
{
	const char *format;

	if (j->options.results && run_dir_check(j->options.results, err) < 0)
		return -1;
	if (shard_run_read(&j->run, err) < 0 || read_excludes(j, err) < 0 ||
	    fstests_job_baseline(j, err) < 0 || prepare_config(j, err) < 0 ||
	    prepare_root(j, err) < 0)
		return -1;
	format = j->root.vm.kind == VM_ROOT_IMAGE ? j->root.vm.fstype : NULL;
	if (source_prepare(&j->options, j->rootfs.manifest, format, j->run.progress, &j->source,
			   err) < 0 ||
	    check_words_test(j->words.words, j->words.count, j->source.dir, err) < 0 ||
	    prepare_vm(j, err) < 0)
		return -1;
	fstests_job_durations(j);
	run_excludes_settle(&j->run.excludes, j->rootfs.kernel->version, j->tested, time(NULL));
	run_excludes_note(&j->run);
	return 0;
}

/* Prepares the root again: its rootfs has changed. */
int fstests_job_reopen_root(struct fstests_job *j, struct error **err)
{
	const struct root_wish wish = root_wish_of(j);
	const struct rootfs_choice choice = rootfs_choice_of(j);

	root_free(&j->root);
	if (rootfs_open(&choice, &j->rootfs, err) < 0 || root_prepare(&wish, &j->root, err) < 0)
		return -1;
	helper_stop(&j->rootfs.helper);
	j->run.vm.root = j->root.vm;
	j->run.vm.kernel = j->rootfs.kernel;
	return 0;
}
