/* rootlet fstests: the command line, and a run from start to summary. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/commands/commands.h"
#include "frontend/fstests/check_session.h"
#include "frontend/fstests/check_words.h"
#include "frontend/fstests/config.h"
#include "frontend/fstests/fstests.h"
#include "frontend/fstests/fstests_source.h"
#include "frontend/fstests/junit.h"
#include "frontend/fstests/summary.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/kernel_features.h"
#include "frontend/vm/kvm.h"
#include "frontend/vm/vm_options.h"
#include "lib/clock.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define DEFAULT_DEVICES 7
#define DEFAULT_SIZE (UINT64_C(10) << 30)
#define SECONDS_MOST (30ul * 24 * 3600)
#define CONFIG_MOST 65536

/* clang-format off */
const char fstests_help[] =
	"usage: rootlet fstests --kernel KERNEL --fstests DIR [OPTION…] [-- TEST…]\n"
	"\n"
	"Boots a kernel in a guest with the users and packages of a rootfs, runs fstests there,\n"
	"and reports what passed, failed and did not run. TEST… are arguments for fstests' check:\n"
	"-g GROUP, -x GROUP, -X FILE, -e TESTS, -E FILE (anywhere on the host), test names\n"
	"(default: -g quick). If a test crashes the kernel or does not end, that is recorded, and\n"
	"the remaining tests run in a new VM. Only the results stay on the host.\n"
	"\n"
	"  --kernel KERNEL     a bzImage, a kernel build directory, or the word distro\n"
	"  --keyring FILE      keys to verify signatures with (distro, and --build), if the\n"
	"                      rootfs comes from your own mirror\n"
	"  --fstests DIR       the fstests tree, built; with --build, its sources\n"
	"  --build             build fstests in a rootfs of the same release, once per state of\n"
	"                      DIR\n"
	"  --name NAME         name of the rootfs in ~/.kerneldev-mcp (default: test-rootfs)\n"
	"  --path DIR          path of a rootfs elsewhere\n"
	"  --host-root         use the host's own filesystem as the guest's root, not a rootfs\n"
	"  --root-transport auto|image|dir\n"
	"                      how the guest gets its root, as in rootlet run\n"
	"  --force-9p          with dir: use 9p even if there is a virtiofsd\n"
	"\n"
	"  --fstype TYPE       filesystem under test: ext4 (default), xfs, btrfs, f2fs, …\n"
	"  --mkfs COMMAND      format with COMMAND instead of mkfs.TYPE; its arguments are those\n"
	"                      of --mkfs-options and the device\n"
	"  --mkfs-options WORDS\n"
	"                      fstests' MKFS_OPTIONS\n"
	"  --mount-options WORDS\n"
	"                      fstests' MOUNT_OPTIONS\n"
	"  --config FILE       an fstests configuration with sections, each with its own\n"
	"                      filesystem; it need not name devices or directories\n"
	"  --devices N         number of disks (default: 7: one test device, five in the scratch\n"
	"                      pool, one for log writes)\n"
	"  --device-size SIZE  size of each (default: 10G); sparse, and discarded with the VM\n"
	"  --device-backing disk|tmpfs\n"
	"                      where the disks are: in $TMPDIR or /var/tmp (default), or in\n"
	"                      memory\n"
	"  --device FILE       use this block device or file as the next disk; its data is lost\n"
	"  --io-scheduler mq-deadline|none|bfq|kyber\n"
	"                      I/O scheduler of the disks\n"
	"\n"
	"  --memory SIZE       memory of the guest (default: 4G)\n"
	"  --cpus N            CPUs of the guest (default: as many as the host has, at most 8)\n"
	"  --unsealed          let vng and qemu see all of the host's files, read-only, and its\n"
	"                      processes, as in rootlet run\n"
	"  --append WORDS      words for the kernel command line; may be repeated\n"
	"  --vng-arg WORD      an additional argument for vng; may be repeated\n"
	"  --timeout S         end the run after S seconds\n"
	"  --test-timeout S    end a test after S seconds (default: 3600)\n"
	"  --stop-on-crash     boot no new VM after a crash or a test that did not end\n"
	"\n"
	"  --results DIR       directory for the results, not ~/.local/state/rootlet/runs/RUN\n"
	"  --junit FILE        also write the results as JUnit XML, for a CI system\n"
	"  --baseline RUN      compare with that run: what newly fails or passes, what still\n"
	"                      fails\n"
	"  --json              JSON events, one per line, and finally the result\n"
	"  --quiet             print only the summary\n"
	"  --color WHEN        auto (default), always or never\n"
	"  --help\n"
	"\n"
	"Exit status: 0 all passed; 1 some failed; 2 wrong command line; 3 the kernel crashed; 4\n"
	"a test or the run took too long; 5 the tests could not be run; 130 interrupted.\n";
/* clang-format on */

enum fstests_option {
	OPTION_KERNEL = 256,
	OPTION_KEYRING,
	OPTION_FSTESTS,
	OPTION_BUILD,
	OPTION_NAME,
	OPTION_PATH,
	OPTION_HOST_ROOT,
	OPTION_ROOT_TRANSPORT,
	OPTION_FORCE_9P,
	OPTION_UNSEALED,
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
	OPTION_MEMORY,
	OPTION_CPUS,
	OPTION_APPEND,
	OPTION_VNG_ARG,
	OPTION_TIMEOUT,
	OPTION_TEST_TIMEOUT,
	OPTION_STOP_ON_CRASH,
	OPTION_RESULTS,
	OPTION_JUNIT,
	OPTION_BASELINE,
	OPTION_JSON,
	OPTION_QUIET,
};

const struct option fstests_options[] = {
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "keyring", required_argument, NULL, OPTION_KEYRING },
	{ "fstests", required_argument, NULL, OPTION_FSTESTS },
	{ "build", no_argument, NULL, OPTION_BUILD },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "path", required_argument, NULL, OPTION_PATH },
	{ "host-root", no_argument, NULL, OPTION_HOST_ROOT },
	{ "root-transport", required_argument, NULL, OPTION_ROOT_TRANSPORT },
	{ "force-9p", no_argument, NULL, OPTION_FORCE_9P },
	{ "unsealed", no_argument, NULL, OPTION_UNSEALED },
	{ "fstype", required_argument, NULL, OPTION_FSTYPE },
	{ "mkfs", required_argument, NULL, OPTION_MKFS },
	{ "mkfs-options", required_argument, NULL, OPTION_MKFS_OPTIONS },
	{ "mount-options", required_argument, NULL, OPTION_MOUNT_OPTIONS },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "devices", required_argument, NULL, OPTION_DEVICES },
	{ "device-size", required_argument, NULL, OPTION_DEVICE_SIZE },
	{ "device-backing", required_argument, NULL, OPTION_DEVICE_BACKING },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "io-scheduler", required_argument, NULL, OPTION_IO_SCHEDULER },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "append", required_argument, NULL, OPTION_APPEND },
	{ "vng-arg", required_argument, NULL, OPTION_VNG_ARG },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "test-timeout", required_argument, NULL, OPTION_TEST_TIMEOUT },
	{ "stop-on-crash", no_argument, NULL, OPTION_STOP_ON_CRASH },
	{ "results", required_argument, NULL, OPTION_RESULTS },
	{ "junit", required_argument, NULL, OPTION_JUNIT },
	{ "baseline", required_argument, NULL, OPTION_BASELINE },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* --- the command line ----------------------------------------------------------------------- */

static bool is_word(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_")];
}

static int set_word(const char **to, const char *option, struct error **err)
{
	*to = optarg;
	if (is_word(optarg))
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s \"%s\": must have only lower-case letters, digits, - and _", option,
			 optarg);
}

static int set_backing(struct fstests_options *o, struct error **err)
{
	o->device_memory = strcmp(optarg, "tmpfs") == 0;
	if (o->device_memory || strcmp(optarg, "disk") == 0)
		return 0;
	return error_set(err, ERR_INPUT, "--device-backing %s: must be disk or tmpfs", optarg);
}

static int set_scheduler(struct fstests_options *o, struct error **err)
{
	static const char *const known[] = { "mq-deadline", "none", "bfq", "kyber" };

	o->io_scheduler = optarg;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(optarg, known[i]) == 0)
			return 0;
	return error_set(err, ERR_INPUT,
			 "--io-scheduler %s: must be mq-deadline, none, bfq or kyber", optarg);
}

static int fstests_take_value(struct fstests_options *o, int option, struct error **err)
{
	switch (option) {
	case OPTION_ROOT_TRANSPORT:
		if (root_transport_parse(optarg, &o->transport))
			return 0;
		return error_set(err, ERR_INPUT, "--root-transport %s: must be auto, image or dir",
				 optarg);
	case OPTION_FSTYPE:
		return set_word(&o->fstype, "--fstype", err);
	case OPTION_DEVICES:
		return parse_number("--devices", optarg, DEVICES_MAX, &o->device_count, err);
	case OPTION_DEVICE_SIZE:
		return parse_disk_size("--device-size", optarg, &o->device_size, err);
	case OPTION_DEVICE_BACKING:
		return set_backing(o, err);
	case OPTION_DEVICE:
		if (o->device_path_count == DEVICES_MAX)
			return error_set(err, ERR_INPUT, "--device is given more than %d times",
					 DEVICES_MAX);
		o->device_paths[o->device_path_count++] = optarg;
		return 0;
	case OPTION_IO_SCHEDULER:
		return set_scheduler(o, err);
	case OPTION_MEMORY:
		o->memory = optarg;
		return check_memory(optarg, err);
	case OPTION_APPEND:
		return add_append(&o->append, optarg, err);
	case OPTION_VNG_ARG:
		if (o->vng_word_count == VNG_WORDS_MAX)
			return error_set(err, ERR_INPUT, "--vng-arg is given more than %d times",
					 VNG_WORDS_MAX);
		o->vng_words[o->vng_word_count++] = optarg;
		return 0;
	case OPTION_TIMEOUT:
		return parse_number("--timeout", optarg, SECONDS_MOST, &o->timeout, err);
	default:
		return parse_number("--test-timeout", optarg, SECONDS_MOST, &o->test_timeout, err);
	}
}

/* Options whose values are not checked here. */
static bool take_simple(struct fstests_options *o, int option)
{
	switch (option) {
	case OPTION_KERNEL:
		o->kernel = optarg;
		return true;
	case OPTION_KEYRING:
		o->keyring = optarg;
		return true;
	case OPTION_FSTESTS:
		o->fstests = optarg;
		return true;
	case OPTION_NAME:
		o->name = optarg;
		return true;
	case OPTION_PATH:
		o->path = optarg;
		return true;
	case OPTION_MKFS:
		o->mkfs = optarg;
		return true;
	case OPTION_MKFS_OPTIONS:
		o->mkfs_options = optarg;
		return true;
	case OPTION_MOUNT_OPTIONS:
		o->mount_options = optarg;
		return true;
	case OPTION_CONFIG:
		o->config = optarg;
		return true;
	case OPTION_RESULTS:
		o->results = optarg;
		return true;
	case OPTION_JUNIT:
		o->junit = optarg;
		return true;
	case OPTION_BASELINE:
		o->baseline = optarg;
		return true;
	default:
		return false;
	}
}

static bool take_flag(struct fstests_options *o, int option)
{
	bool *flag = option == OPTION_BUILD	      ? &o->build
		     : option == OPTION_HOST_ROOT     ? &o->host_root
		     : option == OPTION_FORCE_9P      ? &o->force_9p
		     : option == OPTION_UNSEALED      ? &o->unsealed
		     : option == OPTION_STOP_ON_CRASH ? &o->stop_on_crash
		     : option == OPTION_JSON	      ? &o->json
		     : option == OPTION_QUIET	      ? &o->quiet
						      : NULL;

	if (flag)
		*flag = true;
	return flag;
}

static int check_combination(const struct fstests_options *o, struct error **err)
{
	if (!o->kernel)
		return error_set(
			err, ERR_INPUT,
			"--kernel is missing: give a bzImage, a kernel build directory, or "
			"the word distro");
	if (!o->fstests)
		return error_set(err, ERR_INPUT,
				 "--fstests is missing: give the fstests directory");
	if (o->keyring && !o->build && strcmp(o->kernel, "distro") != 0)
		return error_set(err, ERR_INPUT,
				 "--keyring goes with --kernel distro or --build: nothing else is "
				 "downloaded");
	if (o->host_root && (o->name || o->path || o->build))
		return error_set(
			err, ERR_INPUT,
			"--host-root uses no rootfs: it does not go with --name, --path or "
			"--build");
	if (o->host_root && strcmp(o->kernel, "distro") == 0)
		return error_set(
			err, ERR_INPUT,
			"--host-root has no release for --kernel distro: give a bzImage or "
			"a kernel build directory");
	if (o->device_path_count > o->device_count)
		return error_set(err, ERR_INPUT, "--device is given %u times, but --devices is %u",
				 o->device_path_count, o->device_count);
	return check_words_test(o->tests, o->test_count, o->fstests, err);
}

/* --- the run -------------------------------------------------------------------------------- */

struct fstests_job {
	struct fstests_options options;
	char cpus[CPUS_TEXT];
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
	struct fstests_run run;
};

static void job_clear(struct fstests_job *j)
{
	rootfs_close(&j->rootfs);
	progress_free(&j->run.progress);
	run_folder_close(&j->run.folder);
	test_plan_clear(&j->run.plan);
	results_clear(&j->run.results);
	results_clear(&j->run.earlier);
	results_clear(&j->baseline);
	free(j->baseline_id);
	for (size_t i = 0; i < j->run.complaint_count; i++) {
		free(j->run.complaints[i].kind);
		free(j->run.complaints[i].test);
		free(j->run.complaints[i].line);
		free(j->run.complaints[i].trace);
	}
	free(j->run.complaints);
	for (size_t i = 0; i < DEVICES_MAX; i++)
		free(j->device_paths[i]);
	free(j->results_share);
	free(j->fstypes);
	free(j->tested);
	source_free(&j->source);
	check_words_clear(&j->words);
	root_free(&j->root);
	free(j->options.append);
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

static int prepare_root(struct fstests_job *j, struct error **err)
{
	const struct fstests_options *o = &j->options;
	struct root_wish wish = {
		.rootfs = &j->rootfs,
		.transport = o->transport,
		.fstypes = j->fstypes,
		.no_virtiofs = o->force_9p,
		.progress = j->run.progress,
	};

	if (o->host_root) {
		j->root.vm = (struct vm_root){ .kind = VM_ROOT_HOST, .path = "/" };
		if (kernel_open(o->kernel, &j->rootfs.kernel, err) < 0)
			return -1;
		if (j->rootfs.kernel->modules)
			fstests_add_share(j, j->rootfs.kernel->modules, MODULES_SHARE, true);
		return read_words(j, err);
	}
	if (rootfs_open(o->name, o->path, o->kernel, o->keyring, j->run.progress, &j->rootfs, err) <
		    0 ||
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

	*disk = (struct vm_disk){ .size = o->device_size, .memory = o->device_memory };
	snprintf(disk->name, sizeof(disk->name), "device%u", number);
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
	vm->memory = j->options.memory;
	vm->cpus = j->cpus;
	vm->append = j->options.append;
	vm->vng_words = j->options.vng_words;
	vm->unsealed = j->options.unsealed;
	vm->shares = j->shares;
	vm->disks = j->disks;
	for (unsigned int i = 0; i < j->options.device_count; i++)
		if (add_device(j, i, err) < 0)
			return -1;
	if (j->source.image)
		j->disks[vm->disk_count++] = (struct vm_disk){ .name = "rootlet-fstests",
							       .path = j->source.image,
							       .read_only = true };
	else
		fstests_add_share(j, j->source.folder, FSTESTS_SHARE, true);
	j->run.source = j->source.text;
	j->run.tree = j->source.folder;
	vm->kvm = kvm_runs(why, sizeof(why));
	if (!vm->kvm)
		progress_note(j->run.progress, "no KVM (%s): the guest is emulated, and slow", why);
	return 0;
}

/* Reads how long each test took when it last ran on the same filesystem. */
static void read_earlier(struct fstests_job *j)
{
	_cleanup_free_ char *first = strndup(j->tested, strcspn(j->tested, ","));
	char **ids;
	size_t count;

	if (!first || run_folder_list(&ids, &count, NULL) < 0)
		return;
	for (size_t i = count; i-- > 0;) {
		_cleanup_(run_folder_close) struct run_folder folder = RUN_FOLDER_NONE;
		_cleanup_(results_clear) struct results results = { 0 };
		_cleanup_error_ struct error *ignored = NULL;

		if (strstr(ids[i], first) && run_folder_open(ids[i], &folder, &ignored) == 0 &&
		    results_read(folder.fd, RUN_TESTS, &results, NULL) == 0)
			for (size_t k = 0; k < results.count; k++) {
				struct test_result result = results.list[k];

				result.section = "";
				/* Tests that did not run have no duration. */
				if (result.status != TEST_UNREACHED &&
				    result.status != TEST_EXPUNGED &&
				    !results_find(&j->run.earlier, "", result.name))
					results_add(&j->run.earlier, &result, NULL);
			}
		free(ids[i]);
	}
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

static int fstests_copy_words(struct fstests_job *j, struct error **err)
{
	_cleanup_close_ int results =
		openat(j->run.folder.fd, RUN_RESULTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (results < 0)
		return error_errno(err, ERR_SYSTEM, "cannot write to %s", j->run.folder.path);
	return check_words_write(&j->words, results, err);
}

/* The parameters of the run. They are stored before it starts, so that a run that is cut off has
 * them too. */
static json_t *fstests_describe(const struct fstests_job *j)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < j->options.test_count; i++)
		json_array_append_new(tests, json_string(j->options.tests[i]));
	return json_pack("{s:s, s:I, s:s, s:s*, s:s, s:s*, s:s, s:o, s:s}", "run", j->run.folder.id,
			 "began", (json_int_t)time(NULL), "kernel", j->rootfs.kernel->image,
			 "kernel_version", j->rootfs.kernel->version, "fstype", j->tested, "rootfs",
			 j->rootfs.path, "fstests", j->options.fstests, "tests", tests, "root",
			 j->root.vm.kind == VM_ROOT_IMAGE  ? "image"
			 : j->root.vm.kind == VM_ROOT_TREE ? "dir"
							   : "host");
}

static int open_run(struct fstests_job *j, json_t **record, struct error **err)
{
	_cleanup_free_ char *first = strndup(j->tested, strcspn(j->tested, ","));

	if (!first)
		return error_no_memory(err);
	if (run_folder_make(first, j->options.results, &j->run.folder, err) < 0 ||
	    copy_configs(j, err) < 0)
		return -1;
	if (fstests_copy_words(j, err) < 0)
		return -1;
	if (asprintf(&j->results_share, "%s/" RUN_RESULTS, j->run.folder.path) < 0)
		return error_no_memory(err);
	fstests_add_share(j, j->results_share, RESULTS_SHARE, false);
	*record = fstests_describe(j);
	if (!*record)
		return error_no_memory(err);
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
	if (read_baseline(j, err) < 0 || find_types(j, err) < 0 || prepare_root(j, err) < 0)
		return -1;
	format = j->root.vm.kind == VM_ROOT_IMAGE ? j->root.vm.fstype : NULL;
	if (source_prepare(&j->options, j->rootfs.manifest, format, j->run.progress, &j->source,
			   err) < 0 ||
	    check_words_test(j->words.words, j->words.count, j->source.folder, err) < 0 ||
	    prepare_vm(j, err) < 0)
		return -1;
	read_earlier(j);
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
	json_object_update(record, summary);
	r = run_folder_finish(&j->run.folder, record, err);
	if (!j->options.json && j->run.results.count)
		summary_print(&j->run, status);
	if (j->options.baseline)
		print_baseline(j, summary);
	if (j->options.json && why)
		event_failure(summary, why, status);
	else if (j->options.json)
		event_result(summary, status);
	else
		json_decref(summary);
	if (j->options.junit &&
	    junit_write(j->options.junit, &j->run.results, j->run.folder.id, err) < 0)
		r = -1;
	return r;
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

static int fstests_run_tests(struct fstests_job *j)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_error_ struct error *late = NULL;
	json_t *record = NULL;
	int status;

	interrupt_catch();
	j->run.commanded = clock_precise();
	j->run.options = &j->options;
	j->run.progress = progress_new(j->options.json	  ? PROGRESS_JSON
				       : j->options.quiet ? PROGRESS_QUIET
							  : PROGRESS_AUTO);
	if (fstests_prepare(j, &err) < 0)
		return fstests_report(j, false, err);
	if (open_run(j, &record, &err) < 0) {
		json_decref(record);
		return fstests_report(j, false, err);
	}
	status = fstests_session(&j->run, &err);
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

int command_fstests(int argc, char **argv)
{
	static char *const quick[] = { (char *)(uintptr_t) "-g", (char *)(uintptr_t) "quick" };
	_cleanup_(job_clear) struct fstests_job j = {
		.options = { .fstype = "ext4",
			     .memory = "4G",
			     .device_count = DEFAULT_DEVICES,
			     .device_size = DEFAULT_SIZE,
			     .test_timeout = 3600,
			     .tests = quick,
			     .test_count = 2 },
		.rootfs = ROOTFS_NONE,
		.root = ROOT_NONE,
		.run = { .folder = RUN_FOLDER_NONE },
	};
	_cleanup_error_ struct error *err = NULL;
	unsigned int cpus;
	int option;

	default_cpus(j.cpus);
	while ((option = getopt_long(argc, argv, "+", fstests_options, NULL)) != -1) {
		if (option == OPTION_CPUS) {
			if (parse_number("--cpus", optarg, 255, &cpus, &err) < 0)
				return report_usage(argv[0], "%s", err->message);
			snprintf(j.cpus, sizeof(j.cpus), "%u", cpus);
		} else if (!take_flag(&j.options, option) && !take_simple(&j.options, option) &&
			   fstests_take_value(&j.options, option, &err) < 0) {
			return report_usage(argv[0], "%s", err->message);
		}
	}
	if (optind < argc) {
		j.options.tests = argv + optind;
		j.options.test_count = (size_t)(argc - optind);
	}
	if (check_combination(&j.options, &err) < 0)
		return report_usage(argv[0], "%s", err->message);
	return fstests_run_tests(&j);
}
