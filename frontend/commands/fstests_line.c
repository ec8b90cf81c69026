#include "frontend/commands/fstests_line.h"

#include <string.h>
#include <strings.h>

#include "frontend/fstests/check_words.h"
#include "frontend/fstests/configuration_text.h"
#include "frontend/rootfs/store.h"

#define REPEAT_MOST 100000
#define SMOKE_GROUP "smoketest"
#define SMOKE_SOAK "3m"
#define SECONDS_MOST (30ul * 24 * 3600)

const struct option_row fstests_rows[] = {
	{ "--kernel", "KERNEL", OPTION_KERNEL,
	  "a bzImage, a kernel build directory, or the word distro; inside a kernel tree, that "
	  "tree if not given" },
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
	{ "--configuration", "FS/NAME…", OPTION_CONFIGURATION,
	  "test in these configurations, separated by commas; see: rootlet configurations (-c is "
	  "the same)",
	  .apart = true },
	{ "-c", "FS/NAME…", OPTION_CONFIGURATION, NULL },
	{ "--fstype", "TYPE", OPTION_FSTYPE, "filesystem under test: ext4, xfs, btrfs, f2fs, …",
	  .fallback = "ext4" },
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
	GDB_ROW,
	{ "--timeout", "S", OPTION_TIMEOUT, "end the run after S seconds" },
	{ "--test-timeout", "S", OPTION_TEST_TIMEOUT, "end a test after S seconds",
	  .fallback = "3600" },
	{ "--exclude", "FILE", OPTION_EXCLUDE,
	  "leave out tests that FILE lists, each with a reason; may be repeated; the word none: "
	  "ignore the files in ~/.config/rootlet/excludes" },
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
	{ "--repeat", "N", OPTION_REPEAT, "run each test N times", .fallback = "1", .once = true },
	{ "--until-failure", NULL, OPTION_UNTIL_FAILURE,
	  "repeat the tests until one fails, at most as often as --repeat says", .once = true },
	{ "--retry-failed", "N", OPTION_RETRY_FAILED,
	  "run a test that failed again, at most N times, until it passes; then it does not fail "
	  "the run" },
	{ "--quarantine", NULL, OPTION_QUARANTINE,
	  "do not let known flakes fail the run: tests that failed and passed earlier with one "
	  "and the same kernel, and fail no more often now" },
	{ "--kmemleak", NULL, OPTION_KMEMLEAK,
	  "look for leaked memory after each test, which then fails; the kernel needs "
	  "CONFIG_DEBUG_KMEMLEAK" },
	{ "--dump-on-crash", NULL, OPTION_DUMP_ON_CRASH,
	  "keep the memory of the first kernel that crashes, as vmcore in the run's directory, for "
	  "crash(8) or gdb" },
	{ "--gcov", NULL, OPTION_GCOV,
	  "collect which lines of the kernel the tests executed, for lcov; the kernel needs "
	  "CONFIG_GCOV_KERNEL" },
	{ "--install-missing", NULL, OPTION_INSTALL_MISSING,
	  "install packages for commands that tests did not find in the rootfs, and run these "
	  "tests again" },
	{ "--results", "DIR", OPTION_RESULTS,
	  "directory for the results, not ~/.local/state/rootlet/runs/RUN", .once = true },
	{ "--junit", "FILE", OPTION_JUNIT, "also write the results as JUnit XML, for a CI system",
	  .once = true },
	{ "--baseline", "RUN", OPTION_BASELINE,
	  "compare with that run, and with all that ran before it: what newly fails or passes, and "
	  "which failures are regressions or known flakes" },
	JSON_ROW("JSON events, one per line, and finally the result"),
	{ "--quiet", NULL, OPTION_QUIET, "print only the summary" },
	{ NULL },
};

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
	o->kmemleak = line_has(line, OPTION_KMEMLEAK);
	o->gdb = line_has(line, OPTION_GDB);
	o->gcov = line_has(line, OPTION_GCOV);
	o->dump_on_crash = line_has(line, OPTION_DUMP_ON_CRASH);
	o->install_missing = line_has(line, OPTION_INSTALL_MISSING);
	o->until_failure = line_has(line, OPTION_UNTIL_FAILURE);
	o->quarantine = line_has(line, OPTION_QUARANTINE);
	o->json = line_has(line, OPTION_JSON);
	o->quiet = line_has(line, OPTION_QUIET);
}

/* A configuration says what these options say. A default of the configuration file gives way to
 * what the command line has. */
static int read_configuration(struct fstests_options *o, const struct parsed_line *line,
			      struct error **err)
{
	static const int others[] = { OPTION_FSTYPE, OPTION_MKFS, OPTION_MKFS_OPTIONS,
				      OPTION_MOUNT_OPTIONS, OPTION_CONFIG };

	o->configuration = line_value(line, OPTION_CONFIGURATION);
	for (size_t i = 0; o->configuration && i < sizeof(others) / sizeof(*others); i++) {
		if (!line_sets(line, others[i]) || line_is_default(line, others[i]))
			continue;
		if (!line_is_default(line, OPTION_CONFIGURATION))
			return error_set(err, ERR_INPUT, "%s does not go with --configuration",
					 option_row_coded(line->command, others[i])->name);
		o->configuration = NULL;
	}
	if (o->configuration)
		o->mkfs = o->mkfs_options = o->mount_options = o->config = NULL;
	return 0;
}

/* smoke: as kvm-xfstests has it. */
static void take_tests_of_line(struct fstests_options *o, const struct parsed_line *line)
{
	static char *const smoke[] = { (char *)(uintptr_t) "-g", (char *)(uintptr_t)SMOKE_GROUP };

	if (!line->operand_count)
		return;
	o->tests = line->operands;
	o->test_count = (size_t)line->operand_count;
	if (line->operand_count == 1 && strcmp(line->operands[0], "smoke") == 0) {
		o->tests = smoke;
		o->test_count = sizeof(smoke) / sizeof(*smoke);
		o->soak = SMOKE_SOAK;
	}
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

/* Where it makes no sense, the file's default is ignored. */
static int read_repetitions(struct fstests_options *o, const struct parsed_line *line,
			    struct error **err)
{
	bool elsewhere = line_has(line, OPTION_SHARD) || line_has(line, OPTION_CLUSTER);

	unsigned int times = 1;

	if (line_number(line, OPTION_REPEAT, REPEAT_MOST, &times, err) < 0 ||
	    line_number(line, OPTION_RETRY_FAILED, REPEAT_MOST, &o->retry_failed, err) < 0)
		return -1;
	o->again = o->until_failure && !line_sets(line, OPTION_REPEAT) ? AGAIN_FOREVER : times - 1;
	if (line_is_default(line, OPTION_RETRY_FAILED) &&
	    (elsewhere || o->again || check_words_orders(o->tests, o->test_count)))
		o->retry_failed = 0;
	return 0;
}

/* Some kernels have kmemleak, but switched off. An oops ends the guest in any case: as a panic, it
 * also stops the kernel before its memory is kept. */
static int add_kernel_options(struct fstests_options *o, struct error **err)
{
	if (o->kmemleak && add_append(&o->append, "kmemleak=on", err) < 0)
		return -1;
	return o->dump_on_crash ? add_append(&o->append, "oops=panic", err) : 0;
}

int fstests_read_line(struct fstests_options *o, const struct parsed_line *line, struct error **err)
{
	int devices, words, excludes;

	read_words_of_line(o, line);
	if (check_fstype(o->fstype, err) < 0 || read_numbers(o, line, err) < 0 ||
	    line_append(line, &o->append, err) < 0 || add_kernel_options(o, err) < 0 ||
	    line_overlays(line, o->overlays, err) < 0)
		return -1;
	if (read_configuration(o, line, err) < 0)
		return -1;
	devices = list_values(line, OPTION_DEVICE, o->device_paths, DEVICES_MAX, err);
	if (devices < 0)
		return -1;
	if (o->host_root && line_is_default(line, OPTION_OVERLAY))
		o->overlays[0] = NULL;
	words = list_values(line, OPTION_VNG_ARG, o->vng_words, VNG_WORDS_MAX, err);
	if (words < 0)
		return -1;
	excludes = list_values(line, OPTION_EXCLUDE, o->excludes, EXCLUDE_FILES_MAX, err);
	if (excludes < 0)
		return -1;
	o->device_path_count = (unsigned int)devices;
	o->vng_word_count = (size_t)words;
	take_tests_of_line(o, line);
	return read_repetitions(o, line, err);
}

static const char *repeating_option(const struct fstests_options *o)
{
	return o->until_failure	 ? "--until-failure"
	       : o->again	 ? "--repeat"
	       : o->retry_failed ? "--retry-failed"
				 : NULL;
}

static int check_repetitions(const struct fstests_options *o, const char *order, bool elsewhere,
			     struct error **err)
{
	const char *option = repeating_option(o);

	if (option && order)
		return error_set(err, ERR_INPUT,
				 "%s does not go with %s, which runs tests in an order of its own",
				 order, option);
	if (option && elsewhere)
		return error_set(err, ERR_INPUT,
				 "%s does not go with --shard or --cluster, where each test has "
				 "one result",
				 option);
	if (o->again && o->retry_failed)
		return error_set(err, ERR_INPUT, "--retry-failed does not go with %s", option);
	if (o->again && o->install_missing)
		return error_set(err, ERR_INPUT, "--install-missing does not go with %s", option);
	return 0;
}

/* CLUSTER: the tests run elsewhere. */
int fstests_check_combination(const struct fstests_options *o, const struct shard *shard,
			      const struct configurations *configurations, bool cluster,
			      struct error **err)
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
	if (o->dump_on_crash && (o->host_root || cluster))
		return error_set(err, ERR_INPUT, "--dump-on-crash does not go with %s",
				 cluster ? "--cluster" : "--host-root");
	if (o->gcov && cluster)
		return error_set(err, ERR_INPUT, "--gcov does not go with --cluster");
	if (o->host_root && strcmp(o->kernel, "distro") == 0)
		return error_set(
			err, ERR_INPUT,
			"--host-root has no release for --kernel distro: give a bzImage or "
			"a kernel build directory");
	if (configurations_devices(configurations) > o->device_count)
		return error_set(err, ERR_INPUT, "--devices %u: --configuration %s needs %u",
				 o->device_count, o->configuration,
				 configurations_devices(configurations));
	if (o->device_path_count > o->device_count)
		return error_set(err, ERR_INPUT, "--device is given %u times, but --devices is %u",
				 o->device_path_count, o->device_count);
	if (o->gdb && (o->jobs > 1 || cluster))
		return error_set(err, ERR_INPUT,
				 "--gdb is for one guest on this host: it does not go with %s",
				 cluster ? "--cluster" : "--jobs");
	if (o->jobs > 1 && o->device_path_count)
		return error_set(err, ERR_INPUT,
				 "--device gives a disk to one guest: it does not go with --jobs");
	for (size_t i = 0; o->configuration && i < o->test_count; i++)
		if (strcasecmp(o->tests[i], "-s") == 0)
			return error_set(err, ERR_INPUT,
					 "check's %s does not go with --configuration, which "
					 "chooses the sections",
					 o->tests[i]);
	if (order && (o->jobs > 1 || shard->parts || cluster || o->configuration))
		return error_set(err, ERR_INPUT,
				 "%s does not go with %s, which runs each test once, in an order "
				 "of its own",
				 order,
				 cluster	? "--cluster"
				 : shard->parts ? "--shard"
				 : o->jobs > 1	? "--jobs"
						: "--configuration");
	if (check_repetitions(o, order, cluster || shard->parts, err) < 0)
		return -1;
	return check_words_test(o->tests, o->test_count, cluster ? NULL : o->fstests, err);
}

/* The machines of a cluster have neither the host's files nor its rootfs. */
int fstests_check_cluster(const struct fstests_options *o, const struct shard *shard,
			  struct error **err)
{
	const char *order = check_words_orders(o->tests, o->test_count);
	const char *option = shard->parts		? "--shard"
			     : o->host_root		? "--host-root"
			     : o->configuration		? "--configuration"
			     : o->device_path_count	? "--device"
			     : o->stop_on_crash		? "--stop-on-crash"
			     : o->gdb			? "--gdb"
			     : o->gcov			? "--gcov"
			     : o->dump_on_crash		? "--dump-on-crash"
			     : o->install_missing	? "--install-missing"
			     : repeating_option(o)	? repeating_option(o)
			     : o->overlays[0]		? "--overlay"
			     : o->transport == ROOT_DIR ? "--root-transport dir"
							: order;

	if (option)
		return error_set(err, ERR_INPUT, "%s does not go with --cluster slurm", option);
	return 0;
}

/* A resumed run keeps its other options. */
int fstests_check_resumed(const struct parsed_line *line, struct error **err)
{
	static const int allowed[] = { OPTION_RESUME, OPTION_JSON,	OPTION_QUIET,
				       OPTION_JUNIT,  OPTION_BASELINE,	OPTION_TIMEOUT,
				       OPTION_COLOR,  OPTION_QUARANTINE };

	return line_check_resumed(line, allowed, sizeof(allowed) / sizeof(*allowed), "run", err);
}

/* A default of the configuration file is there for when it is needed. */
int fstests_check_keyring(const struct fstests_options *o, const struct parsed_line *line,
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
