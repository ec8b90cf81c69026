/* rootlet run: boots a kernel on a rootfs with vng and runs a command, or a shell, in it. */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/events.h"
#include "frontend/cli/interrupt.h"
#include "frontend/cli/progress.h"
#include "frontend/commands/commands.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/guest_root.h"
#include "frontend/vm/kernel.h"
#include "frontend/vm/kvm.h"
#include "frontend/vm/vm.h"
#include "frontend/vm/vm_options.h"
#include "frontend/vm/vm_terminal.h"

/* clang-format off */
const char run_help[] =
	"usage: rootlet run --kernel KERNEL [OPTION…] [-- COMMAND [ARGUMENT…]]\n"
	"\n"
	"Boots a kernel on a rootfs with vng and runs COMMAND (default: a login shell) as root in\n"
	"the guest. Shows the command's output and returns its exit status. The guest cannot\n"
	"change the rootfs: its writes go to memory and are lost when the VM exits.\n"
	"\n"
	"On a terminal, COMMAND gets a terminal too, as with ssh -t: Ctrl-C and resizing work,\n"
	"and ~. at the start of a line ends the VM. If any of your standard streams is not a\n"
	"terminal, COMMAND gets three separate streams.\n"
	"\n"
	"  --kernel KERNEL  a bzImage, a kernel build directory, or the word distro: the kernel\n"
	"                   package of the rootfs's release, which is downloaded and verified\n"
	"  --keyring FILE   keys to verify signatures with (distro), if the rootfs comes from\n"
	"                   your own mirror\n"
	"  --name NAME      name in ~/.kerneldev-mcp (default: test-rootfs)\n"
	"  --path DIR       path of a rootfs elsewhere\n"
	"  --memory SIZE    memory of the guest (default: 2G)\n"
	"  --cpus N         CPUs of the guest (default: as many as the host has, at most 8)\n"
	"  --rwdir DIR      a host directory that the guest may write to, at the same path (if\n"
	"                   DIR is a symbolic link, also at the path it points to); may be\n"
	"                   repeated\n"
	"  --disk SIZE      an empty scratch disk, discarded with the VM: /dev/vda; repeat it for\n"
	"                   /dev/vdb and so on\n"
	"  --root-transport auto|image|dir\n"
	"                   how the guest gets its root. image: a disk image of the rootfs, built\n"
	"                   once and cached; dir: the tree itself, which works with any kernel\n"
	"                   that has 9p, but is slow; auto (default): an image if the kernel is\n"
	"                   known to support it\n"
	"  --force-9p       with dir: use 9p even if there is a virtiofsd\n"
	"  --unsealed       let vng and qemu see all of the host's files, read-only, and its\n"
	"                   processes: for hosts where a VM cannot have its own /proc, and for\n"
	"                   vng installations that rootlet does not find completely\n"
	"  --append WORDS   words for the kernel command line; may be repeated\n"
	"  --timeout S      end the VM after S seconds, with exit status 124\n"
	"  --quiet          no progress output\n"
	"  --json           JSON events, one per line: progress, log, output (a piece of\n"
	"                   COMMAND's output), and finally result\n"
	"  --color WHEN     auto (default), always or never\n"
	"  --help\n"
	"\n"
	"Exit status: COMMAND's own (127 if the guest does not have it); 124 the timeout expired;\n"
	"125 the VM failed: the kernel panicked, or did not boot; 1 no such rootfs; 2 wrong\n"
	"command line, or no such kernel; 4 the mirror failed (distro); 5 the host lacks\n"
	"something; 6 the rootfs is being replaced or deleted; 130 interrupted.\n";
/* clang-format on */

enum run_option {
	OPTION_KERNEL = 256,
	OPTION_KEYRING,
	OPTION_NAME,
	OPTION_PATH,
	OPTION_MEMORY,
	OPTION_CPUS,
	OPTION_RWDIR,
	OPTION_DISK,
	OPTION_APPEND,
	OPTION_TIMEOUT,
	OPTION_ROOT_TRANSPORT,
	OPTION_FORCE_9P,
	OPTION_UNSEALED,
	OPTION_QUIET,
	OPTION_JSON,
};

const struct option run_options[] = {
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "keyring", required_argument, NULL, OPTION_KEYRING },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "path", required_argument, NULL, OPTION_PATH },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "rwdir", required_argument, NULL, OPTION_RWDIR },
	{ "disk", required_argument, NULL, OPTION_DISK },
	{ "append", required_argument, NULL, OPTION_APPEND },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "root-transport", required_argument, NULL, OPTION_ROOT_TRANSPORT },
	{ "force-9p", no_argument, NULL, OPTION_FORCE_9P },
	{ "unsealed", no_argument, NULL, OPTION_UNSEALED },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct run {
	const char *kernel_path, *keyring, *name, *path;
	bool quiet, json, force_9p;
	enum root_transport transport;
	time_t began;
	char *append;
	char cpus[CPUS_TEXT];
	struct vm_share shares[VM_SHARES_MAX];
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_terminal terminal;
	struct vm_config config;
	struct root root;
	struct rootfs rootfs;
	struct progress *progress;
};

static void free_share(struct vm_share *share)
{
	free((char *)(uintptr_t)share->host);
	free((char *)(uintptr_t)share->guest);
}

static void run_clear(struct run *r)
{
	rootfs_close(&r->rootfs);
	progress_free(&r->progress);
	root_free(&r->root);
	for (size_t i = 0; i < r->config.share_count; i++)
		free_share(&r->shares[i]);
	free(r->append);
}

/* Returns PATH as an absolute path that keeps its symbolic links, relative to the shell's $PWD; the
 * caller frees it. NULL if it does not lead to TARGET, or if out of memory. */
static char *absolute_as_given(const char *path, const char *target)
{
	const char *shell = getenv("PWD");
	_cleanup_free_ char *physical = getcwd(NULL, 0);
	_cleanup_free_ char *given = NULL;
	_cleanup_free_ char *resolved = NULL;
	struct stat here, there;
	size_t length = 0;

	if (!shell || *shell != '/' || stat(shell, &there) < 0 || stat(".", &here) < 0 ||
	    here.st_dev != there.st_dev || here.st_ino != there.st_ino)
		shell = physical ? physical : "";
	if (asprintf(&given, "%s/%s", *path == '/' ? "" : shell, path) < 0)
		return NULL;
	/* Normalize "//", "/./", "/.." and a "/" at the end as text. If a ".." follows a symbolic
	 * link, the result is another path, which realpath() shows below. */
	for (const char *p = given + strspn(given, "/"); *p; p += strspn(p, "/")) {
		size_t word = strcspn(p, "/");

		if (word == 2 && strncmp(p, "..", 2) == 0) {
			while (length && given[--length] != '/')
				;
		} else if (word != 1 || *p != '.') {
			given[length] = '/';
			memmove(given + length + 1, p, word);
			length += word + 1;
		}
		p += word;
	}
	given[length] = '\0';
	resolved = realpath(given, NULL);
	return resolved && strcmp(resolved, target) == 0 ? STEAL_PTR(given) : NULL;
}

/* vng pastes these paths into a shell command and into qemu's comma-separated options, so only
 * characters that are special to neither are allowed. */
static int run_add_share(struct run *r, const char *host, const char *guest, struct error **err)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._+@%-";
	struct vm_share *share = &r->shares[r->config.share_count];

	if (guest[strspn(guest, plain)])
		return error_set(
			err, ERR_INPUT,
			"cannot share the directory \"%s\": vng takes only letters, digits "
			"and /._+@%%- in its path",
			guest);
	for (size_t i = 0; i < r->config.share_count; i++)
		if (strcmp(r->shares[i].guest, guest) == 0)
			return 0;
	if (r->config.share_count == VM_SHARES_MAX)
		return error_set(err, ERR_INPUT,
				 "cannot share more than %d directories (one through a symbolic "
				 "link counts twice)",
				 VM_SHARES_MAX);
	*share = (struct vm_share){ strdup(host), strdup(guest), false };
	r->config.share_count++;
	return share->host && share->guest ? 0 : error_no_memory(err);
}

/* Shares the directory that the path leads to now. The guest sees it at its real path and at the
 * path as given. */
static int add_rwdir(struct run *r, const char *folder, struct error **err)
{
	_cleanup_free_ char *absolute = realpath(folder, NULL);
	_cleanup_free_ char *given = NULL;
	struct stat st;

	if (!*folder)
		return error_set(err, ERR_INPUT, "--rwdir: the path is empty");
	if (!absolute && errno == ENOENT)
		return error_set(
			err, ERR_INPUT,
			"cannot share the directory %s: it does not exist; create it with: "
			"mkdir -p %s",
			folder, folder);
	if (!absolute || stat(absolute, &st) < 0)
		return error_errno(err, ERR_INPUT, "cannot share the directory %s", folder);
	if (!S_ISDIR(st.st_mode) || strcmp(absolute, "/") == 0)
		return error_set(err, ERR_INPUT,
				 "cannot share %s: not a directory, or the host's root directory",
				 absolute);
	if (access(absolute, R_OK | W_OK | X_OK) < 0)
		return error_errno(err, ERR_INPUT, "cannot share the directory %s", absolute);
	given = absolute_as_given(folder, absolute);
	if (run_add_share(r, absolute, absolute, err) < 0)
		return -1;
	return given ? run_add_share(r, absolute, given, err) : 0;
}

static int add_disk(struct run *r, const char *size, struct error **err)
{
	struct vm_disk *disk = &r->disks[r->config.disk_count];

	/* One disk is for the root. */
	if (r->config.disk_count == VM_DISKS_MAX - 1)
		return error_set(err, ERR_INPUT, "--disk is given more than %d times",
				 VM_DISKS_MAX - 1);
	*disk = (struct vm_disk){ 0 };
	if (parse_disk_size("--disk", size, &disk->size, err) < 0)
		return -1;
	snprintf(disk->name, sizeof(disk->name), "scratch%zu", r->config.disk_count++);
	return 0;
}

static int run_take_option(struct run *r, int option, struct error **err)
{
	unsigned int number;

	switch (option) {
	case OPTION_KERNEL:
		r->kernel_path = optarg;
		return 0;
	case OPTION_KEYRING:
		r->keyring = optarg;
		return 0;
	case OPTION_NAME:
		r->name = optarg;
		return 0;
	case OPTION_PATH:
		r->path = optarg;
		return 0;
	case OPTION_MEMORY:
		r->config.memory = optarg;
		return check_memory(optarg, err);
	case OPTION_CPUS:
		if (parse_number("--cpus", optarg, 255, &number, err) < 0)
			return -1;
		snprintf(r->cpus, sizeof(r->cpus), "%u", number);
		return 0;
	case OPTION_TIMEOUT:
		return parse_number("--timeout", optarg, 10 * 24 * 3600, &r->config.timeout, err);
	case OPTION_RWDIR:
		return add_rwdir(r, optarg, err);
	case OPTION_DISK:
		return add_disk(r, optarg, err);
	case OPTION_ROOT_TRANSPORT:
		if (root_transport_parse(optarg, &r->transport))
			return 0;
		return error_set(err, ERR_INPUT, "--root-transport %s: must be auto, image or dir",
				 optarg);
	case OPTION_FORCE_9P:
		r->force_9p = true;
		return 0;
	case OPTION_UNSEALED:
		r->config.unsealed = true;
		return 0;
	default:
		return add_append(&r->append, optarg, err);
	}
}

static int run_prepare(struct run *r, struct error **err)
{
	struct root_wish wish = {
		.rootfs = &r->rootfs,
		.transport = r->transport,
		.no_virtiofs = r->force_9p,
		.progress = r->progress,
	};
	char why[128];

	if (rootfs_open(r->name, r->path, r->kernel_path, r->keyring, r->progress, &r->rootfs,
			err) < 0 ||
	    root_prepare(&wish, &r->root, err) < 0)
		return -1;
	helper_stop(&r->rootfs.helper);
	r->config.kvm = kvm_runs(why, sizeof(why));
	if (!r->config.kvm)
		progress_note(r->progress, "no KVM (%s): the guest is emulated, and slow", why);
	progress_end(r->progress);
	return 0;
}

/* What the run is about, and how it ended. */
static json_t *run_describe(const struct run *r, const char *status, const struct vm_result *result)
{
	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o}", "status", status, "path",
			 json_text(r->rootfs.path), "kernel", json_text(r->kernel_path), "kvm",
			 r->config.kvm, "seconds",
			 json_integer((json_int_t)(time(NULL) - r->began)), "console",
			 json_text(*result->console ? result->console : NULL));
}

/* IN_VM: the VM was started, and a failed system call counts as its failure. */
static int report_failure(const struct run *r, const struct vm_result *result, bool in_vm,
			  const struct error *err)
{
	int status;

	/* Its last line belongs before the error. */
	progress_end(r->progress);
	if (*result->console)
		fprintf(stderr, "the console's last lines:\n%s\n", result->console);
	status = report_error("run", err);
	if (in_vm && (!err || err->code == ERR_SYSTEM))
		status = EXIT_VM;
	return r->json ? event_failure(run_describe(r, "failed", result), err, status) : status;
}

static int report_timeout(const struct run *r, const struct vm_result *result)
{
	if (*result->console)
		fprintf(stderr, "the console's last lines:\n%s\n", result->console);
	fprintf(stderr, "rootlet run: the VM was stopped: --timeout %u expired\n",
		r->config.timeout);
	if (r->json)
		event_result(run_describe(r, "timeout", result), EXIT_TIMEOUT);
	return EXIT_TIMEOUT;
}

/* The two output streams of the command, which become events. */
struct run_output {
	struct run *run;
	struct output_events out, error;
};

/* The terminal is in raw mode for the guest: a newline alone does not start at column 1. */
static void end_boot(void *context)
{
	struct run_output *o = context;

	progress_end(o->run->progress);
	if (o->run->progress && o->run->config.terminal)
		fputs("\r", stderr);
}

static void run_boot_again(const char *why, void *context)
{
	struct run_output *o = context;

	progress_note(o->run->progress, "%s; booting once more", why);
	progress_stage(o->run->progress, "Booting the kernel");
}

static void run_take_output(int fd, const char *data, size_t size, void *context)
{
	struct run_output *o = context;

	output_events_take(fd == STDERR_FILENO ? &o->error : &o->out, data, size);
}

/* Stops the VM when its events cannot be written: nobody reads them. */
static int watch_reader(void *context)
{
	(void)context;
	return ferror(stdout) ? 0 : -1;
}

/* Like vm_run(). With --json, the guest's output becomes events. */
static int run_vm(struct run *r, struct vm_result *result, struct error **err)
{
	struct run_output output = { .run = r, .out.stream = "stdout", .error.stream = "stderr" };
	int status;

	r->config.started = end_boot;
	r->config.again = run_boot_again;
	r->config.context = &output;
	if (r->json) {
		r->config.output = run_take_output;
		r->config.watch = watch_reader;
	}
	progress_stage(r->progress, "Booting the kernel");
	status = vm_run(&r->config, result, err);
	progress_end(r->progress);
	output_events_flush(&output.out);
	output_events_flush(&output.error);
	if (status == 0 && result->ended)
		return error_set(err, ERR_INTERRUPTED,
				 "the VM was stopped: nobody reads its output");
	return status;
}

static int run_guest(struct run *r)
{
	_cleanup_error_ struct error *err = NULL;
	struct vm_result result = { 0 };

	interrupt_catch();
	r->progress = progress_new(r->quiet  ? PROGRESS_QUIET
				   : r->json ? PROGRESS_JSON
					     : PROGRESS_AUTO);
	if (run_prepare(r, &err) < 0)
		return report_failure(r, &result, false, err);
	r->config.root = r->root.vm;
	r->config.kernel = r->rootfs.kernel;
	r->config.cpus = r->cpus;
	r->config.append = r->append;
	r->config.shares = r->shares;
	r->config.disks = r->disks;
	if (run_vm(r, &result, &err) < 0)
		return report_failure(r, &result, true, err);
	if (result.timed_out)
		return report_timeout(r, &result);
	if (r->json)
		event_result(run_describe(r, "exited", &result), result.status);
	return result.status;
}

int command_run(int argc, char **argv)
{
	_cleanup_(run_clear) struct run r = { .rootfs = ROOTFS_NONE,
					      .root = ROOT_NONE,
					      .config = { .memory = "2G" },
					      .began = time(NULL) };
	_cleanup_error_ struct error *err = NULL;
	int option;

	default_cpus(r.cpus);
	while ((option = getopt_long(argc, argv, "+", run_options, NULL)) != -1) {
		if (option == OPTION_QUIET)
			r.quiet = true;
		else if (option == OPTION_JSON)
			r.json = true;
		else if (run_take_option(&r, option, &err) < 0)
			return report_usage(argv[0], "%s", err->message);
	}
	if (!r.kernel_path)
		return report_usage(argv[0], "--kernel is missing: give a bzImage, a kernel build "
					     "directory, or the word distro");
	if (r.keyring && strcmp(r.kernel_path, "distro") != 0)
		return report_usage(argv[0], "--keyring goes with --kernel distro: nothing else is "
					     "downloaded");
	if (optind < argc)
		r.config.argv = argv + optind;
	if (!r.json && vm_terminal_find(&r.terminal, r.config.argv != NULL))
		r.config.terminal = &r.terminal;
	if (!r.config.argv && !r.config.terminal)
		return report_usage(argv[0], "a shell needs a terminal%s; give a command after --",
				    r.json ? ", and --json has none" : "");
	return run_guest(&r);
}
