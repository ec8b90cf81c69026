/* rootlet run: boots a kernel on a rootfs with vng and runs a command, or a shell, in it. */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/client.h"
#include "frontend/command.h"
#include "frontend/events.h"
#include "frontend/interrupt.h"
#include "frontend/kernel.h"
#include "frontend/kvm.h"
#include "frontend/manifest.h"
#include "frontend/progress.h"
#include "frontend/store.h"
#include "frontend/vm.h"

/* clang-format off */
const char run_help[] =
	"usage: rootlet run --kernel KERNEL [OPTION…] [-- COMMAND [ARGUMENT…]]\n"
	"\n"
	"Boots a kernel with vng on a rootfs and runs COMMAND in it as root of the guest, with\n"
	"its output here and its exit status. Without COMMAND: a shell on this terminal. The\n"
	"guest can change nothing of the rootfs: what it writes there is in its memory.\n"
	"\n"
	"  --kernel KERNEL  a bzImage, a kernel's build folder, or the word distro: the kernel\n"
	"                   package of the rootfs's release, fetched and verified as those are\n"
	"  --name NAME      name in ~/.kerneldev-mcp (default: test-rootfs)\n"
	"  --path DIR       a rootfs elsewhere\n"
	"  --memory SIZE    of the guest (default: 2G)\n"
	"  --cpus N         of the guest (default: those of the host, at most 8)\n"
	"  --rwdir DIR      a folder of the host that the guest may write to, at the same path\n"
	"                   there; may be given again\n"
	"  --disk SIZE      a scratch disk, empty, gone with the VM: /dev/vda; may be given\n"
	"                   again, for /dev/vdb and so on\n"
	"  --append WORDS   for the kernel's command line; may be given again\n"
	"  --timeout S      ends the VM after S seconds, with exit status 124\n"
	"  --quiet          no progress display\n"
	"  --json           events, one JSON object a line: progress, log, output (a piece of what\n"
	"                   COMMAND says), at the end result\n"
	"  --color WHEN     auto (default), always or never\n"
	"  --help\n"
	"\n"
	"Exit status: COMMAND's own (127 where the guest does not have it); 124 the timeout has\n"
	"passed; 125 the VM failed: the kernel panicked, or did not boot; 1 no such rootfs or\n"
	"kernel; 2 wrong command line, or not a kernel; 4 the mirror does not answer (distro);\n"
	"5 the host lacks something; 6 the rootfs is being replaced or removed; 130 interrupted.\n";
/* clang-format on */

enum option_code {
	OPTION_KERNEL = 256,
	OPTION_NAME,
	OPTION_PATH,
	OPTION_MEMORY,
	OPTION_CPUS,
	OPTION_RWDIR,
	OPTION_DISK,
	OPTION_APPEND,
	OPTION_TIMEOUT,
	OPTION_QUIET,
	OPTION_JSON,
};

const struct option run_options[] = {
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "path", required_argument, NULL, OPTION_PATH },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "cpus", required_argument, NULL, OPTION_CPUS },
	{ "rwdir", required_argument, NULL, OPTION_RWDIR },
	{ "disk", required_argument, NULL, OPTION_DISK },
	{ "append", required_argument, NULL, OPTION_APPEND },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct run {
	const char *kernel_path, *name, *path;
	bool quiet, json;
	time_t began;
	char *absolute, *append;
	char cpus[16];
	int tree;
	char *rwdirs[VM_RWDIRS_MAX];
	uint64_t disks[VM_DISKS_MAX];
	struct vm_config config;
	struct manifest *manifest;
	struct kernel *kernel;
	struct progress *progress;
};

static void run_clear(struct run *r)
{
	progress_free(&r->progress);
	kernel_free(&r->kernel);
	manifest_free(&r->manifest);
	for (size_t i = 0; i < r->config.rwdir_count; i++)
		free(r->rwdirs[i]);
	free(r->append);
	free(r->absolute);
	closep(&r->tree);
}

/* A size with a unit, "512M"; a bare number is in MiB where MEGABYTES, else in bytes. Returns 0
 * for what is none or does not fit. */
static uint64_t parse_size(const char *text, bool megabytes)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long number;
	unsigned int shift = megabytes ? 20 : 0;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || !isdigit((unsigned char)*text))
		return 0;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return 0;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	return number > (uint64_t)INT64_MAX >> shift ? 0 : (uint64_t)number << shift;
}

static bool parse_number(const char *text, unsigned long limit, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return !errno && isdigit((unsigned char)*text) && !*end && *number && *number <= limit;
}

/* vng pastes such paths into a shell line and into qemu's comma lists, so what may stand in one is
 * what both leave alone. */
static int add_rwdir(struct run *r, const char *folder, struct error **err)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._+@%-";
	_cleanup_free_ char *absolute = realpath(folder, NULL);
	struct stat st;

	if (r->config.rwdir_count == VM_RWDIRS_MAX)
		return error_set(err, ERR_INPUT, "more than %d times --rwdir", VM_RWDIRS_MAX);
	if (!absolute || stat(absolute, &st) < 0)
		return error_errno(err, ERR_INPUT, "cannot share the folder %s", folder);
	if (!S_ISDIR(st.st_mode) || strcmp(absolute, "/") == 0)
		return error_set(err, ERR_INPUT, "cannot share %s: not a folder to give away",
				 absolute);
	if (access(absolute, R_OK | W_OK | X_OK) < 0)
		return error_errno(err, ERR_INPUT, "cannot share the folder %s", absolute);
	if (absolute[strspn(absolute, plain)])
		return error_set(err, ERR_INPUT,
				 "cannot share the folder \"%s\": vng takes only letters, digits "
				 "and /._+@%%- in its path",
				 absolute);
	r->rwdirs[r->config.rwdir_count++] = STEAL_PTR(absolute);
	return 0;
}

static int add_disk(struct run *r, const char *size, struct error **err)
{
	uint64_t bytes = parse_size(size, false);

	if (r->config.disk_count == VM_DISKS_MAX)
		return error_set(err, ERR_INPUT, "more than %d times --disk", VM_DISKS_MAX);
	if (bytes < 512 || bytes % 512)
		return error_set(err, ERR_INPUT, "--disk %s: not a size in whole sectors, as 10G",
				 size);
	r->disks[r->config.disk_count++] = bytes;
	return 0;
}

static int add_append(struct run *r, const char *words, struct error **err)
{
	char *both;

	for (const char *p = words; *p; p++)
		if (iscntrl((unsigned char)*p) || strchr("'\"\\`", *p))
			return error_set(err, ERR_INPUT, "--append: no quotes, please");
	if (asprintf(&both, "%s%s%s", r->append ? r->append : "", r->append ? " " : "", words) < 0)
		return error_errno(err, ERR_SYSTEM, "--append");
	free(r->append);
	r->config.append = r->append = both;
	return 0;
}

static int set_number(const char *name, const char *text, unsigned long limit,
		      unsigned long *number, struct error **err)
{
	if (parse_number(text, limit, number))
		return 0;
	return error_set(err, ERR_INPUT, "%s %s: not a number from 1 to %lu", name, text, limit);
}

static int take_option(struct run *r, int option, struct error **err)
{
	unsigned long number = 0;

	switch (option) {
	case OPTION_KERNEL:
		r->kernel_path = optarg;
		return 0;
	case OPTION_NAME:
		r->name = optarg;
		return 0;
	case OPTION_PATH:
		r->path = optarg;
		return 0;
	case OPTION_MEMORY:
		r->config.memory = optarg;
		if (parse_size(optarg, true) >= 64 << 20)
			return 0;
		return error_set(err, ERR_INPUT, "--memory %s: not a size from 64M on", optarg);
	case OPTION_CPUS:
		if (set_number("--cpus", optarg, 255, &number, err) < 0)
			return -1;
		snprintf(r->cpus, sizeof(r->cpus), "%lu", number);
		return 0;
	case OPTION_TIMEOUT:
		if (set_number("--timeout", optarg, 10 * 24 * 3600, &number, err) < 0)
			return -1;
		r->config.timeout = (unsigned int)number;
		return 0;
	case OPTION_RWDIR:
		return add_rwdir(r, optarg, err);
	case OPTION_DISK:
		return add_disk(r, optarg, err);
	default:
		return add_append(r, optarg, err);
	}
}

/* The rootfs's files belong to the ids that it was made with; under others, its setuid programs
 * would be somebody's whom the guest does not know, and its init would fail. */
static int check_ids(const struct run *r, const struct host_ids *ids, struct error **err)
{
	if (ids->first_uid == r->manifest->first_uid && ids->first_gid == r->manifest->first_gid)
		return 0;
	return error_set(err, ERR_HOST,
			 "cannot run %s: it was made with host ids from %u, and the range is now "
			 "from %u; give the old range back in /etc/subuid and /etc/subgid, or make "
			 "it again: rootlet create --force",
			 r->absolute, r->manifest->first_uid, ids->first_uid);
}

static int get_namespace(struct run *r, int *userns, struct error **err)
{
	struct helper *helper = NULL;
	int result;

	if (helper_start("run", r->progress, &helper, err) < 0)
		return -1;
	result = check_ids(r, helper_ids(helper), err);
	if (result == 0)
		result = helper_open_namespace(helper, userns, err);
	helper_stop(&helper);
	return result;
}

static int prepare(struct run *r, int *userns, struct error **err)
{
	char why[128];

	if (strcmp(r->kernel_path, "distro") != 0 &&
	    kernel_open(r->kernel_path, &r->kernel, err) < 0)
		return -1;
	if (store_open(r->name, r->path, &r->tree, &r->absolute, err) < 0)
		return -1;
	if (flock(r->tree, LOCK_SH | LOCK_NB) < 0)
		return error_set(err, ERR_BUSY, "the rootfs at %s is being replaced or removed",
				 r->absolute);
	if (manifest_read(r->tree, &r->manifest, err) < 0 || get_namespace(r, userns, err) < 0)
		return -1;
	if (!r->kernel && kernel_distribution(r->manifest, r->progress, &r->kernel, err) < 0)
		return -1;
	r->config.kvm = kvm_runs(why, sizeof(why));
	if (!r->config.kvm)
		progress_note(r->progress, "no KVM (%s): the guest is emulated, and slow", why);
	progress_end(r->progress);
	return 0;
}

/* What the run is about, and how it ended. */
static json_t *describe(const struct run *r, const char *status, const struct vm_result *result)
{
	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o}", "status", status, "path",
			 json_text(r->absolute), "kernel", json_text(r->kernel_path), "kvm",
			 r->config.kvm, "seconds",
			 json_integer((json_int_t)(time(NULL) - r->began)), "console",
			 json_text(*result->console ? result->console : NULL));
}

/* In the VM a system call that failed is the VM's failure. */
static int report_failure(const struct run *r, const struct vm_result *result, bool in_vm,
			  const struct error *err)
{
	int status;

	if (*result->console)
		fprintf(stderr, "the console's last lines:\n%s\n", result->console);
	status = report_error("run", err);
	if (in_vm && (!err || err->code == ERR_SYSTEM))
		status = EXIT_VM;
	return r->json ? event_failure(describe(r, "failed", result), err, status) : status;
}

static int report_timeout(const struct run *r, const struct vm_result *result)
{
	if (*result->console)
		fprintf(stderr, "the console's last lines:\n%s\n", result->console);
	fprintf(stderr, "rootlet run: the VM was ended: --timeout %u has passed\n",
		r->config.timeout);
	if (r->json)
		event_result(describe(r, "timeout", result), EXIT_TIMEOUT);
	return EXIT_TIMEOUT;
}

/* As vm_run(), with what the guest says as events where those are asked for. */
static int run_vm(struct run *r, int userns, struct vm_result *result, struct error **err)
{
	struct output_events out = { .stream = "stdout" }, error = { .stream = "stderr" };
	int status;

	if (r->json) {
		r->config.output = output_events_take;
		r->config.out_context = &out;
		r->config.error_context = &error;
	}
	status = vm_run(userns, &r->config, result, err);
	output_events_flush(&out);
	output_events_flush(&error);
	return status;
}

static int run(struct run *r)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_close_ int userns = -1;
	struct vm_result result = { 0 };

	interrupt_catch();
	r->progress = progress_new(r->quiet  ? PROGRESS_QUIET
				   : r->json ? PROGRESS_JSON
					     : PROGRESS_AUTO);
	if (prepare(r, &userns, &err) < 0)
		return report_failure(r, &result, false, err);
	r->config.tree = r->absolute;
	r->config.kernel = r->kernel;
	r->config.cpus = r->cpus;
	r->config.rwdirs = (const char *const *)r->rwdirs;
	r->config.disks = r->disks;
	if (run_vm(r, userns, &result, &err) < 0)
		return report_failure(r, &result, true, err);
	if (result.timed_out)
		return report_timeout(r, &result);
	if (r->json)
		event_result(describe(r, "exited", &result), result.status);
	return result.status;
}

int command_run(int argc, char **argv)
{
	_cleanup_(run_clear) struct run r = { .tree = -1,
					      .config = { .memory = "2G" },
					      .began = time(NULL) };
	_cleanup_error_ struct error *err = NULL;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int option;

	snprintf(r.cpus, sizeof(r.cpus), "%ld", cpus < 1 ? 1 : cpus > 8 ? 8 : cpus);
	while ((option = getopt_long(argc, argv, "+", run_options, NULL)) != -1) {
		if (option == OPTION_QUIET)
			r.quiet = true;
		else if (option == OPTION_JSON)
			r.json = true;
		else if (take_option(&r, option, &err) < 0)
			return report_usage(argv[0], "%s", err->message);
	}
	if (!r.kernel_path)
		return report_usage(argv[0], "--kernel is missing: a bzImage, a build folder, or "
					     "the word distro");
	if (optind < argc)
		r.config.argv = argv + optind;
	else if (r.json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return report_usage(argv[0], "a shell needs a terminal%s; give a command after --",
				    r.json ? ", and --json has none" : "");
	return run(&r);
}
