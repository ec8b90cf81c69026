/* rootlet fstests: the command line, and a run from start to summary. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "frontend/archive/sums.h"
#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/cluster/submission.h"
#include "frontend/commands/cluster_line.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/fstests_cluster.h"
#include "frontend/commands/fstests_missing.h"
#include "frontend/commands/vm_line.h"
#include "frontend/fstests/check_session.h"
#include "frontend/fstests/check_words.h"
#include "frontend/fstests/config.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/fstests_source.h"
#include "frontend/fstests/junit.h"
#include "frontend/fstests/needs.h"
#include "frontend/fstests/run_identity.h"
#include "frontend/fstests/second_pass.h"
#include "frontend/fstests/shard_run.h"
#include "frontend/fstests/summary.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/guest_count.h"
#include "frontend/vm/kernel_features.h"
#include "frontend/vm/kvm.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define SECONDS_MOST (30ul * 24 * 3600)
#define CONFIG_MOST 65536

enum {
	OPTION_FSTESTS = OPTION_VM_OWN,
	OPTION_BUILD,
	OPTION_HOST_ROOT,
	OPTION_FSTYPE,
	OPTION_MKFS,
	OPTION_MKFS_OPTIONS,
	OPTION_MOUNT_OPTIONS,
	OPTION_CONFIG,
	OPTION_DEVICES,
	OPTION_DEVICE_SIZE,
	OPTION_DEVICE_BACKING,
	OPTION_DEVICE,
	OPTION_IO_SCHEDULER,
	OPTION_VNG_ARG,
	OPTION_TEST_TIMEOUT,
	OPTION_STOP_ON_CRASH,
	OPTION_INSTALL_MISSING,
	OPTION_RESULTS,
	OPTION_JUNIT,
	OPTION_BASELINE,
	OPTION_SHARD,
	OPTION_DURATIONS,
	OPTION_JOBS,
	OPTION_CLUSTER,
	OPTION_CLUSTER_TASKS,
	OPTION_CLUSTER_OPTION,
	OPTION_CLUSTER_DIRECTORY,
	OPTION_RESUME,
};

static const struct option_row fstests_rows[] = {
	{ "--kernel", "KERNEL", OPTION_KERNEL,
	  "a bzImage, a kernel build directory, or the word distro", .required = true,
	  .unless = OPTION_RESUME },
	{ "--keyring", "FILE", OPTION_KEYRING,
	  "keys to verify signatures with (distro, and --build), if the rootfs comes from your own "
	  "mirror" },
	{ "--fstests", "DIR", OPTION_FSTESTS, "the fstests tree, built; with --build, its sources",
	  .required = true, .unless = OPTION_RESUME },
	{ "--build", NULL, OPTION_BUILD,
	  "build fstests in a rootfs of the same release, once per state of DIR" },
	ROOTFS_ROWS,
	{ "--host-root", NULL, OPTION_HOST_ROOT,
	  "use the host's own filesystem as the guest's root, not a rootfs", .once = true },
	{ "--root-transport", "auto|image|dir", OPTION_ROOT_TRANSPORT,
	  "how the guest gets its root, as in rootlet run", .fallback = "auto" },
	FORCE_9P_ROW,
	OVERLAY_ROW,
	AUTO_UPGRADE_ROWS,
	{ "--fstype", "TYPE", OPTION_FSTYPE, "filesystem under test: ext4, xfs, btrfs, f2fs, …",
	  .fallback = "ext4", .apart = true },
	{ "--mkfs", "COMMAND", OPTION_MKFS,
	  "format with COMMAND instead of mkfs.TYPE; its arguments are those of --mkfs-options and "
	  "the device" },
	{ "--mkfs-options", "WORDS", OPTION_MKFS_OPTIONS, "fstests' MKFS_OPTIONS" },
	{ "--mount-options", "WORDS", OPTION_MOUNT_OPTIONS, "fstests' MOUNT_OPTIONS" },
	{ "--config", "FILE", OPTION_CONFIG,
	  "an fstests configuration with sections, each with its own filesystem; it need not name "
	  "devices or directories" },
	{ "--devices", "N", OPTION_DEVICES,
	  "number of disks: one test device, five in the scratch pool, one for log writes",
	  .fallback = "7" },
	{ "--device-size", "SIZE", OPTION_DEVICE_SIZE,
	  "size of each; sparse, and discarded with the VM", .fallback = "10G" },
	{ "--device-backing", "disk|tmpfs", OPTION_DEVICE_BACKING,
	  "where the disks are. disk: in $TMPDIR or /var/tmp; tmpfs: in memory",
	  .fallback = "disk" },
	{ "--device", "FILE", OPTION_DEVICE,
	  "use this block device or file as the next disk; its data is lost; may be repeated",
	  .once = true },
	{ "--io-scheduler", "mq-deadline|none|bfq|kyber", OPTION_IO_SCHEDULER,
	  "I/O scheduler of the disks" },
	{ "--memory", "SIZE", OPTION_MEMORY, "memory of the guest", .fallback = "4G",
	  .apart = true },
	CPUS_ROW,
	{ "--unsealed", NULL, OPTION_UNSEALED,
	  "let vng and qemu see all of the host's files, read-only, and its processes, as in "
	  "rootlet run" },
	APPEND_ROW,
	BOOT_ROW,
	{ "--vng-arg", "WORD", OPTION_VNG_ARG, "an additional argument for vng; may be repeated" },
	BOOT_TIMEOUT_ROW,
	{ "--timeout", "S", OPTION_TIMEOUT, "end the run after S seconds" },
	{ "--test-timeout", "S", OPTION_TEST_TIMEOUT, "end a test after S seconds",
	  .fallback = "3600" },
	{ "--shard", "PART", OPTION_SHARD,
	  "run one part of the tests: I/N for part I of N; auto for a job of GitLab or a Slurm "
	  "array; auto/N for a pod of a Kubernetes indexed job; see: rootlet runs merge",
	  .once = true },
	{ "--durations", "FILE", OPTION_DURATIONS,
	  "how long tests probably take, from rootlet runs durations, so that all parts take "
	  "equally long" },
	{ "--jobs", "N", OPTION_JOBS,
	  "run N guests at once; the word auto: as many as the host's processors and memory allow. "
	  "--cpus "
	  "and --memory are those of each guest; by default, they share the host's",
	  .fallback = "1" },
	{ "--cluster", "slurm|kubernetes", OPTION_CLUSTER,
	  "slurm: run the tests on the machines of a cluster, as the tasks of an array job. "
	  "kubernetes: print the manifest of a job that does so, and run nothing here; all paths "
	  "are those in its pods, and are not checked",
	  .apart = true, .once = true },
	{ "--cluster-tasks", "N", OPTION_CLUSTER_TASKS,
	  "the number of tasks or pods; each runs --jobs guests at once" },
	{ "--cluster-directory", "DIR", OPTION_CLUSTER_DIRECTORY,
	  "a directory that all of them share under this name, for what they need and the "
	  "results" },
	{ "--cluster-option", "WORD", OPTION_CLUSTER_OPTION,
	  "slurm: an option for sbatch. kubernetes: image=IMAGE, claim=NAME, kvm=RESOURCE or "
	  "kvm=none, name=NAME or namespace=NAME. May be repeated" },
	{ "--resume", "RUN", OPTION_RESUME,
	  "continue a run on Slurm that was interrupted, or whose rootlet exited", .once = true },
	{ "--stop-on-crash", NULL, OPTION_STOP_ON_CRASH,
	  "boot no new VM after a crash or a test that did not end", .apart = true },
	{ "--install-missing", NULL, OPTION_INSTALL_MISSING,
	  "install packages for commands that tests did not find in the rootfs, and run these "
	  "tests again" },
	{ "--results", "DIR", OPTION_RESULTS,
	  "directory for the results, not ~/.local/state/rootlet/runs/RUN", .once = true },
	{ "--junit", "FILE", OPTION_JUNIT, "also write the results as JUnit XML, for a CI system",
	  .once = true },
	{ "--baseline", "RUN", OPTION_BASELINE,
	  "compare with that run: what newly fails or passes, what still fails" },
	JSON_ROW("JSON events, one per line, and finally the result"),
	{ "--quiet", NULL, OPTION_QUIET, "print only the summary" },
	{ NULL },
};

/* --- the command line ----------------------------------------------------------------------- */

static bool is_word(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_")];
}

static int check_fstype(const char *word, struct error **err)
{
	if (is_word(word))
		return 0;
	return error_set(err, ERR_INPUT,
			 "--fstype \"%s\": must have only lower-case letters, digits, - and _",
			 word);
}

/* Lists the values of an option that may be repeated, at most LIMIT. Returns how many there are, or
 * -1 with ERR set. */
static int list_values(const struct parsed_line *line, int code, const char **list, int limit,
		       struct error **err)
{
	const char *value;
	size_t i = 0;
	int count = 0;

	while ((value = line_next(line, code, &i))) {
		if (count == limit)
			return error_set(err, ERR_INPUT, "%s is given more than %d times",
					 option_row_coded(line->command, code)->name, limit);
		list[count++] = value;
	}
	return count;
}

/* Takes what needs no check. */
static void read_words_of_line(struct fstests_options *o, const struct parsed_line *line)
{
	o->kernel = line_value(line, OPTION_KERNEL);
	o->keyring = line_value(line, OPTION_KEYRING);
	o->fstests = line_value(line, OPTION_FSTESTS);
	o->name = line_value(line, OPTION_NAME);
	o->path = line_value(line, OPTION_PATH);
	o->fstype = line_value(line, OPTION_FSTYPE);
	o->mkfs = line_value(line, OPTION_MKFS);
	o->mkfs_options = line_value(line, OPTION_MKFS_OPTIONS);
	o->mount_options = line_value(line, OPTION_MOUNT_OPTIONS);
	o->config = line_value(line, OPTION_CONFIG);
	o->io_scheduler = line_value(line, OPTION_IO_SCHEDULER);
	o->results = line_value(line, OPTION_RESULTS);
	o->junit = line_value(line, OPTION_JUNIT);
	o->baseline = line_value(line, OPTION_BASELINE);
	o->durations = line_value(line, OPTION_DURATIONS);
	o->transport = line_transport(line);
	o->boot = line_value(line, OPTION_BOOT);
	o->device_memory = strcmp(line_value(line, OPTION_DEVICE_BACKING), "tmpfs") == 0;
	o->build = line_has(line, OPTION_BUILD);
	o->host_root = line_has(line, OPTION_HOST_ROOT);
	o->force_9p = line_has(line, OPTION_FORCE_9P);
	o->unsealed = line_has(line, OPTION_UNSEALED);
	if (o->host_root && line_is_default(line, OPTION_BUILD))
		o->build = false;
	o->stop_on_crash = line_has(line, OPTION_STOP_ON_CRASH);
	o->install_missing = line_has(line, OPTION_INSTALL_MISSING);
	o->json = line_has(line, OPTION_JSON);
	o->quiet = line_has(line, OPTION_QUIET);
}

static int read_numbers(struct fstests_options *o, const struct parsed_line *line,
			struct error **err)
{
	if (line_number(line, OPTION_DEVICES, DEVICES_MAX, &o->device_count, err) < 0 ||
	    line_number(line, OPTION_BOOT_TIMEOUT, BOOT_SECONDS_MOST, &o->boot_timeout, err) < 0 ||
	    line_number(line, OPTION_TIMEOUT, SECONDS_MOST, &o->timeout, err) < 0 ||
	    line_number(line, OPTION_TEST_TIMEOUT, SECONDS_MOST, &o->test_timeout, err) < 0)
		return -1;
	return parse_disk_size("--device-size", line_value(line, OPTION_DEVICE_SIZE),
			       &o->device_size, err);
}

static int fstests_read_line(struct fstests_options *o, const struct parsed_line *line,
			     struct error **err)
{
	int devices, words;

	read_words_of_line(o, line);
	if (check_fstype(o->fstype, err) < 0 || read_numbers(o, line, err) < 0 ||
	    line_append(line, &o->append, err) < 0 || line_overlays(line, o->overlays, err) < 0)
		return -1;
	devices = list_values(line, OPTION_DEVICE, o->device_paths, DEVICES_MAX, err);
	if (devices < 0)
		return -1;
	if (o->host_root && line_is_default(line, OPTION_OVERLAY))
		o->overlays[0] = NULL;
	words = list_values(line, OPTION_VNG_ARG, o->vng_words, VNG_WORDS_MAX, err);
	if (words < 0)
		return -1;
	o->device_path_count = (unsigned int)devices;
	o->vng_word_count = (size_t)words;
	if (line->operand_count) {
		o->tests = line->operands;
		o->test_count = (size_t)line->operand_count;
	}
	return 0;
}

/* CLUSTER: the tests run elsewhere. */
static int check_combination(const struct fstests_options *o, const struct shard *shard,
			     bool cluster, struct error **err)
{
	const char *order = check_words_orders(o->tests, o->test_count);

	if (o->install_missing && (o->host_root || shard->parts))
		return error_set(err, ERR_INPUT, "--install-missing does not go with %s",
				 o->host_root ? "--host-root"
					      : "--shard: every part needs the same rootfs");
	if (o->host_root && (o->name || o->path || o->build || o->overlays[0]))
		return error_set(err, ERR_INPUT,
				 "--host-root uses no rootfs: it does not go with --name, --path, "
				 "--overlay or --build");
	if (o->host_root && strcmp(o->kernel, "distro") == 0)
		return error_set(
			err, ERR_INPUT,
			"--host-root has no release for --kernel distro: give a bzImage or "
			"a kernel build directory");
	if (o->device_path_count > o->device_count)
		return error_set(err, ERR_INPUT, "--device is given %u times, but --devices is %u",
				 o->device_path_count, o->device_count);
	if (o->jobs > 1 && o->device_path_count)
		return error_set(err, ERR_INPUT,
				 "--device gives a disk to one guest: it does not go with --jobs");
	if (order && (o->jobs > 1 || shard->parts || cluster))
		return error_set(err, ERR_INPUT,
				 "%s does not go with %s, which runs each test once, in an order "
				 "of its own",
				 order,
				 cluster	? "--cluster"
				 : shard->parts ? "--shard"
						: "--jobs");
	return check_words_test(o->tests, o->test_count, cluster ? NULL : o->fstests, err);
}

/* The machines of a cluster have neither the host's files nor its rootfs. */
static int check_cluster(const struct fstests_options *o, const struct shard *shard,
			 struct error **err)
{
	const char *order = check_words_orders(o->tests, o->test_count);
	const char *option = shard->parts		? "--shard"
			     : o->host_root		? "--host-root"
			     : o->device_path_count	? "--device"
			     : o->stop_on_crash		? "--stop-on-crash"
			     : o->install_missing	? "--install-missing"
			     : o->overlays[0]		? "--overlay"
			     : o->transport == ROOT_DIR ? "--root-transport dir"
							: order;

	if (option)
		return error_set(err, ERR_INPUT, "%s does not go with --cluster slurm", option);
	return 0;
}

/* --- the run -------------------------------------------------------------------------------- */

struct fstests_job {
	struct fstests_options options;
	struct upgrade_wish upgrade;
	struct guest_count count;
	char *fstypes; /* that may be tested: --fstype's and those in --config */
	char *tested;  /* that are tested: "ext4,xfs" */
	struct rootfs rootfs;
	struct root root;
	struct fstests_source source;
	struct check_words words;
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_share shares[VM_SHARES_MAX];
	char *device_paths[DEVICES_MAX], *results_share;
	struct results baseline;
	char *baseline_id;
	struct lackings lackings; /* --install-missing */
	struct cluster_request cluster;
	struct submission_kept kept;	  /* with --resume */
	char *cluster_directory, *shared; /* path of the run in it */
	struct fstests_run run;
};

static void job_clear(struct fstests_job *j)
{
	rootfs_close(&j->rootfs);
	progress_free(&j->run.progress);
	run_folder_close(&j->run.folder);
	fstests_run_clear(&j->run);
	results_clear(&j->baseline);
	free(j->baseline_id);
	for (size_t i = 0; i < DEVICES_MAX; i++)
		free(j->device_paths[i]);
	free(j->results_share);
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

static void fstests_add_share(struct fstests_job *j, const char *host, const char *guest,
			      bool read_only)
{
	j->shares[j->run.vm.share_count++] = (struct vm_share){ host, guest, read_only };
}

static int find_types(struct fstests_job *j, struct error **err)
{
	_cleanup_free_ char *text = NULL;

	if (j->options.config && !(text = file_read(j->options.config, CONFIG_MOST, NULL, err)))
		return error_wrap(err, "--config");
	j->fstypes = config_types(j->options.fstype, text);
	j->tested = config_tested(j->options.fstype, text);
	return j->fstypes && j->tested ? 0 : error_no_memory(err);
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
			fstests_add_share(j, j->rootfs.kernel->modules, MODULES_SHARE, true);
		return read_words(j, err);
	}
	j->upgrade.progress = j->run.progress;
	if (auto_upgrade(&j->upgrade, err) < 0 || rootfs_open(&choice, &j->rootfs, err) < 0 ||
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
		fstests_add_share(j, j->source.folder, FSTESTS_SHARE, true);
	j->run.source = j->source.text;
	j->run.tree = j->source.folder;
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
static void read_durations(struct fstests_job *j)
{
	_cleanup_free_ char *first = strndup(j->tested, strcspn(j->tested, ","));
	char **ids;
	size_t count;

	test_groups_read(j->run.tree, &j->run.groups, NULL);
	j->run.durations = durations_new();
	for (size_t i = 0; j->run.durations && j->run.given && i < durations_count(j->run.given);
	     i++) {
		const struct duration d = durations_at(j->run.given, i);

		durations_add(j->run.durations, d.section, d.name, d.seconds);
	}
	if (!first || !j->run.durations || run_folder_list(&ids, &count, NULL) < 0)
		return;
	for (int same = 1; same >= 0; same--)
		for (size_t i = count; i-- > 0;) {
			_cleanup_(run_folder_close) struct run_folder folder = RUN_FOLDER_NONE;
			_cleanup_(results_clear) struct results results = { 0 };
			_cleanup_error_ struct error *ignored = NULL;

			if ((strstr(ids[i], first) != NULL) == same &&
			    run_folder_open(ids[i], &folder, &ignored) == 0 &&
			    results_read(folder.fd, RUN_TESTS, &results, NULL) == 0)
				durations_add_results(j->run.durations, &results);
		}
	for (size_t i = 0; i < count; i++)
		free(ids[i]);
	free(ids);
}

static int write_result(const struct fstests_job *j, const char *name, const char *text,
			struct error **err)
{
	_cleanup_close_ int fd =
		openat(j->run.folder.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t size = strlen(text);

	if (fd < 0 || write_all(fd, text, size) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", j->run.folder.path);
	return 0;
}

/* Copies the user's fstests configuration, and the kernel's, in which tests look up options. */
static int copy_configs(const struct fstests_job *j, struct error **err)
{
	_cleanup_(kernel_features_free) struct kernel_features *features =
		kernel_features_read(j->rootfs.kernel);
	const char *kernel = kernel_config(features);
	_cleanup_free_ char *text = NULL;

	if (kernel && write_result(j, RUN_RESULTS "/kernel.config", kernel, err) < 0)
		return -1;
	if (!j->options.config)
		return 0;
	text = file_read(j->options.config, CONFIG_MOST, NULL, err);
	return text ? write_result(j, RUN_RESULTS "/local.config", text, err)
		    : error_wrap(err, "--config");
}

/* Writes what the guests read besides: files that check's arguments name, and what the programs of
 * fstests need. */
static int write_for_guests(struct fstests_job *j, struct error **err)
{
	_cleanup_close_ int results =
		openat(j->run.folder.fd, RUN_RESULTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (results < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", j->run.folder.path);
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
			 j->run.folder.id, "began", (json_int_t)time(NULL), "kernel",
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
static int describe_identity(const struct fstests_job *j, json_t *record, struct error **err)
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

static int open_run(struct fstests_job *j, json_t **record, struct error **err)
{
	_cleanup_free_ char *first = strndup(j->tested, strcspn(j->tested, ","));

	if (!first)
		return error_no_memory(err);
	if (run_folder_make(first, j->options.results, &j->run.folder, err) < 0 ||
	    copy_configs(j, err) < 0)
		return -1;
	if (write_for_guests(j, err) < 0)
		return -1;
	if (asprintf(&j->results_share, "%s/" RUN_RESULTS, j->run.folder.path) < 0)
		return error_no_memory(err);
	fstests_add_share(j, j->results_share, RESULTS_SHARE, false);
	*record = fstests_describe(j);
	if (!*record)
		return error_no_memory(err);
	if (describe_identity(j, *record, err) < 0 || describe_shard(j, *record, err) < 0)
		return -1;
	return run_folder_write(&j->run.folder, *record, err);
}

/* Called before this run's directory is made, so that "last" is the previous run. */
static int read_baseline(struct fstests_job *j, struct error **err)
{
	_cleanup_(run_folder_close) struct run_folder folder = RUN_FOLDER_NONE;

	if (!j->options.baseline)
		return 0;
	if (run_folder_open(j->options.baseline, &folder, err) < 0 ||
	    results_read(folder.fd, RUN_TESTS, &j->baseline, err) < 0) {
		if (*err)
			(*err)->code = ERR_INPUT;
		return error_wrap(err, "--baseline");
	}
	j->baseline_id = STEAL_PTR(folder.id);
	return 0;
}

static int fstests_prepare(struct fstests_job *j, struct error **err)
{
	const char *format;

	if (j->options.results && run_folder_check(j->options.results, err) < 0)
		return -1;
	if (shard_run_read(&j->run, err) < 0 || read_baseline(j, err) < 0 ||
	    find_types(j, err) < 0 || prepare_root(j, err) < 0)
		return -1;
	format = j->root.vm.kind == VM_ROOT_IMAGE ? j->root.vm.fstype : NULL;
	if (source_prepare(&j->options, j->rootfs.manifest, format, j->run.progress, &j->source,
			   err) < 0 ||
	    check_words_test(j->words.words, j->words.count, j->source.folder, err) < 0 ||
	    prepare_vm(j, err) < 0)
		return -1;
	read_durations(j);
	return 0;
}

static void print_baseline(const struct fstests_job *j, json_t *summary)
{
	json_object_set_new(summary, "baseline", comparison_to_json(&j->baseline, &j->run.results));
	if (j->options.json)
		return;
	printf("\nsince run %s:\n", j->baseline_id);
	comparison_print(stdout, &j->baseline, &j->run.results);
}

/* Stores and prints the outcome of the run. WHY: why the tests could not be run, or NULL. */
static int fstests_finish(struct fstests_job *j, json_t *record, int status,
			  const struct error *why, struct error **err)
{
	json_t *summary = summary_to_json(&j->run, status);
	int r;

	progress_end(j->run.progress);
	if (j->options.install_missing)
		json_object_set_new(summary, "missing", missing_to_json(&j->lackings));
	json_object_update(record, summary);
	r = describe_shard(j, record, err);
	if (run_folder_finish(&j->run.folder, record, err) < 0)
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
	    junit_write(j->options.junit, &j->run.results, j->run.folder.id, record, err) < 0)
		r = -1;
	return r;
}

/* Hands the run to the cluster, and records where it is, so that it can be resumed. */
static int run_on_cluster(struct fstests_job *j, json_t *record, struct error **err)
{
	if (!j->shared) {
		if (asprintf(&j->shared, "%s/%s", j->cluster.directory, j->run.folder.id) < 0)
			return error_no_memory(err);
		json_object_set_new(record, "cluster",
				    json_pack("{s:s, s:s}", "engine", j->cluster.engine,
					      "directory", j->shared));
		/* The user finds it there if this process is killed. */
		if (run_folder_write(&j->run.folder, record, err) < 0 ||
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
	return event_failure(json_pack("{s:o, s:s}", "run", json_text(j->run.folder.id), "status",
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
}

/* Prepares the root again: its rootfs has changed. */
static int reopen_root(struct fstests_job *j, struct error **err)
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
	if (reopen_root(j, err) < 0)
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
	if (describe_identity(j, record, err) < 0)
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

	if (status < 0)
		status =
			err && err->code == ERR_INTERRUPTED ? FSTESTS_INTERRUPTED : FSTESTS_NOT_RUN;
	if (fstests_finish(j, record, status, err, &late) < 0)
		status = fstests_report(j, true, late);
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
	if (fstests_prepare(j, &err) < 0)
		return fstests_report(j, false, err);
	if (open_run(j, &record, &err) < 0) {
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

	if (read_baseline(j, err) < 0 || run_folder_resume(name, &j->run.folder, err) < 0)
		return -1;
	*record = run_folder_read(&j->run.folder, err);
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
	/* A resumed run has no outcome yet. */
	json_object_del(*record, "status");
	return run_folder_write(&j->run.folder, *record, err);
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
	read_durations(j);
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

/* A resumed run keeps its other options. */
static int check_resumed(const struct parsed_line *line, struct error **err)
{
	static const int allowed[] = { OPTION_RESUME,	OPTION_JSON,	OPTION_QUIET, OPTION_JUNIT,
				       OPTION_BASELINE, OPTION_TIMEOUT, OPTION_COLOR };
	const struct option_row *row;
	const char *value;

	if (line->operand_count)
		return error_set(err, ERR_INPUT, "--resume does not go with tests");
	for (size_t i = 0; (row = line_given(line, i, &value)); i++) {
		bool good = line_is_default(line, row->code);

		for (size_t k = 0; k < sizeof(allowed) / sizeof(*allowed); k++)
			good = good || row->code == allowed[k];
		if (!good)
			return error_set(err, ERR_INPUT,
					 "%s does not go with --resume: the run keeps its options",
					 row->name);
	}
	return 0;
}

/* A default of the configuration file is there for when it is needed. */
static int check_keyring(const struct fstests_options *o, const struct parsed_line *line,
			 struct error **err)
{
	if (!line_has(line, OPTION_KEYRING) || o->build || o->install_missing ||
	    strcmp(o->kernel, "distro") == 0 ||
	    strcmp(line_value(line, OPTION_AUTO_UPGRADE), "never") != 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "--keyring goes with --kernel distro, --build, --install-missing or "
			 "--auto-upgrade: nothing else is downloaded");
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

static int fstests_check_line(struct fstests_job *j, const struct parsed_line *line,
			      struct error **err)
{
	bool elsewhere = line_has(line, OPTION_CLUSTER);

	if (fstests_cluster_check(line, err) < 0 || fstests_read_line(&j->options, line, err) < 0 ||
	    cluster_read_line(line, &j->cluster, &j->cluster_directory, err) < 0)
		return -1;
	if (line_has(line, OPTION_RESUME))
		return check_resumed(line, err);
	if (check_keyring(&j->options, line, err) < 0 || read_upgrade(j, line, err) < 0 ||
	    (!elsewhere && read_count(j, line, err) < 0) || read_shard(j, line, err) < 0)
		return -1;
	if (j->cluster.engine) {
		use_cluster_jobs(j);
		if (check_cluster(&j->options, &j->run.shard, err) < 0)
			return -1;
		/* Unlike in a pod, everything that the command line names is on this host. */
		elsewhere = false;
	}
	return check_combination(&j->options, &j->run.shard, elsewhere, err);
}

static int command_fstests(const struct parsed_line *line)
{
	static char *const quick[] = { (char *)(uintptr_t) "-g", (char *)(uintptr_t) "quick" };
	_cleanup_(job_clear) struct fstests_job j = {
		.options = { .tests = quick, .test_count = 2 },
		.rootfs = ROOTFS_NONE,
		.root = ROOT_NONE,
		.run = { .folder = RUN_FOLDER_NONE },
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
		 "host), test names (default: -g quick). If a test crashes the kernel or does not "
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
