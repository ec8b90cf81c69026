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
#include "frontend/commands/vm_line.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/rootfs/store.h"
#include "frontend/vm/debugger.h"
#include "frontend/vm/kernel.h"
#include "frontend/vm/kernel_tree.h"
#include "frontend/vm/kvm.h"
#include "frontend/vm/vm.h"
#include "frontend/vm/vm_terminal.h"

#define TIMEOUT_MOST (10ul * 24 * 3600)

enum { OPTION_RWDIR = OPTION_VM_OWN, OPTION_DISK };

static const struct option_row run_rows[] = {
	{ "--kernel", "KERNEL", OPTION_KERNEL,
	  "a bzImage, a kernel build directory, or the word distro: the kernel package of the "
	  "rootfs's release, which is downloaded and verified; inside a kernel tree, that tree if "
	  "not given" },
	{ "--keyring", "FILE", OPTION_KEYRING,
	  "keys to verify signatures with (distro), if the rootfs comes from your own mirror" },
	ROOTFS_ROWS,
	{ "--memory", "SIZE", OPTION_MEMORY, "memory of the guest", .fallback = "2G" },
	CPUS_ROW,
	{ "--rwdir", "DIR", OPTION_RWDIR,
	  "a host directory that the guest may write to, at the same path (if DIR is a symbolic "
	  "link, also at the path it points to); may be repeated" },
	{ "--disk", "SIZE", OPTION_DISK,
	  "an empty scratch disk, discarded with the VM: /dev/vda; repeat it for /dev/vdb and so "
	  "on" },
	{ "--root-transport", "auto|image|dir", OPTION_ROOT_TRANSPORT,
	  "how the guest gets its root. image: a disk image of the rootfs, built once and cached; "
	  "dir: the tree itself, which works with any kernel that has 9p, but is slow; auto: an "
	  "image if the kernel is known to support it",
	  .fallback = "auto" },
	FORCE_9P_ROW,
	OVERLAY_ROW,
	AUTO_UPGRADE_ROWS,
	{ "--unsealed", NULL, OPTION_UNSEALED,
	  "let vng and qemu see all of the host's files, read-only, and its processes: for hosts "
	  "where a VM cannot have its own /proc, and for vng installations that rootlet does not "
	  "find completely" },
	APPEND_ROW,
	BOOT_ROW,
	BOOT_TIMEOUT_ROW,
	GDB_ROW,
	{ "--timeout", "S", OPTION_TIMEOUT, "end the VM after S seconds, with exit status 124" },
	QUIET_ROW,
	JSON_ROW("JSON events, one per line: progress, log, output (a piece of COMMAND's output), "
		 "and finally result"),
	{ NULL },
};

struct run {
	char *kernel_tree; /* that rootlet was started in, if --kernel is not given */
	const char *kernel_path, *keyring, *name, *path, *boot;
	bool quiet, json, force_9p;
	enum root_transport transport;
	const char *overlays[VM_OVERLAYS_MAX + 1];
	time_t began;
	char *append;
	char cpus[CPUS_TEXT];
	struct vm_share shares[VM_SHARES_MAX];
	struct vm_disk disks[VM_DISKS_MAX];
	struct vm_terminal terminal;
	struct upgrade_wish upgrade;
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
	free(r->kernel_tree);
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
static int add_rwdir(struct run *r, const char *dir, struct error **err)
{
	_cleanup_free_ char *absolute = realpath(dir, NULL);
	_cleanup_free_ char *given = NULL;
	struct stat st;

	if (!*dir)
		return error_set(err, ERR_INPUT, "--rwdir: the path is empty");
	if (!absolute && errno == ENOENT)
		return error_set(
			err, ERR_INPUT,
			"cannot share the directory %s: it does not exist; create it with: "
			"mkdir -p %s",
			dir, dir);
	if (!absolute || stat(absolute, &st) < 0)
		return error_errno(err, ERR_INPUT, "cannot share the directory %s", dir);
	if (!S_ISDIR(st.st_mode) || strcmp(absolute, "/") == 0)
		return error_set(err, ERR_INPUT,
				 "cannot share %s: not a directory, or the host's root directory",
				 absolute);
	if (access(absolute, R_OK | W_OK | X_OK) < 0)
		return error_errno(err, ERR_INPUT, "cannot share the directory %s", absolute);
	given = absolute_as_given(dir, absolute);
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

/* What it takes from LINE stays there. */
static int run_read_line(struct run *r, const struct parsed_line *line, struct error **err)
{
	const char *value;
	size_t rwdir = 0, disk = 0;

	r->kernel_path = line_value(line, OPTION_KERNEL);
	if (!r->kernel_path)
		r->kernel_path = r->kernel_tree = kernel_tree_find();
	if (!r->kernel_path)
		return kernel_tree_missing(err);
	r->keyring = line_value(line, OPTION_KEYRING);
	r->name = line_value(line, OPTION_NAME);
	r->path = line_value(line, OPTION_PATH);
	r->quiet = line_has(line, OPTION_QUIET);
	r->json = line_has(line, OPTION_JSON);
	r->transport = line_transport(line);
	r->boot = line_value(line, OPTION_BOOT);
	r->force_9p = line_has(line, OPTION_FORCE_9P);
	r->config.unsealed = line_has(line, OPTION_UNSEALED);
	r->config.gdb = line_has(line, OPTION_GDB);
	if (line_memory(line, &r->config.memory, err) < 0 || line_cpus(line, r->cpus, err) < 0 ||
	    line_number(line, OPTION_TIMEOUT, TIMEOUT_MOST, &r->config.timeout, err) < 0 ||
	    line_number(line, OPTION_BOOT_TIMEOUT, BOOT_SECONDS_MOST, &r->config.boot_timeout,
			err) < 0 ||
	    line_append(line, &r->append, err) < 0 || line_overlays(line, r->overlays, err) < 0)
		return -1;
	while ((value = line_next(line, OPTION_RWDIR, &rwdir)))
		if (add_rwdir(r, value, err) < 0)
			return -1;
	while ((value = line_next(line, OPTION_DISK, &disk)))
		if (add_disk(r, value, err) < 0)
			return -1;
	if (line_upgrade(line, &r->upgrade, err) < 0)
		return -1;
	if (line_has(line, OPTION_KEYRING) && strcmp(r->kernel_path, "distro") != 0 &&
	    r->upgrade.mode == UPGRADE_NEVER)
		return error_set(err, ERR_INPUT,
				 "--keyring goes with --kernel distro or --auto-upgrade: nothing "
				 "else is downloaded");
	return 0;
}

static int run_prepare(struct run *r, struct error **err)
{
	struct root_wish wish = {
		.rootfs = &r->rootfs,
		.transport = r->transport,
		.overlays = r->overlays,
		.no_virtiofs = r->force_9p,
		.progress = r->progress,
	};
	const struct rootfs_choice choice = {
		.name = r->name,
		.path = r->path,
		.kernel = r->kernel_path,
		.keyring = r->keyring,
		.wait = r->upgrade.mode != UPGRADE_NEVER,
		.progress = r->progress,
	};
	char why[128];

	r->upgrade.progress = r->progress;
	if (auto_upgrade(&r->upgrade, err) < 0 || rootfs_open(&choice, &r->rootfs, err) < 0 ||
	    root_prepare(&wish, &r->root, err) < 0)
		return -1;
	helper_stop(&r->rootfs.helper);
	r->config.kvm = kvm_runs(why, sizeof(why));
	if (!r->config.kvm)
		progress_note(r->progress, "no KVM (%s): the guest is emulated, and slow", why);
	progress_end(r->progress);
	return kernel_choose_boot(r->rootfs.kernel, r->boot, r->config.kvm, err);
}

/* What the run is about, and how it ended. */
static json_t *run_describe(const struct run *r, const char *status, const struct vm_result *result)
{
	const struct manifest *m = r->rootfs.manifest;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "status", status, "path",
			 json_text(r->rootfs.path), "generation",
			 m ? json_integer((json_int_t)m->generation) : json_null(), "kernel",
			 json_text(r->kernel_path), "boot",
			 json_text(r->rootfs.kernel ? kernel_boot_name(r->rootfs.kernel) : NULL),
			 "kvm", r->config.kvm, "seconds",
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

static void run_tell_debugger(enum vm_debugger state, const char *socket, void *context)
{
	const struct run *r = ((struct run_output *)context)->run;

	debugger_tell(r->progress, r->rootfs.kernel, state, socket);
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
	r->config.debugger = run_tell_debugger;
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
	kernel_tree_note(r->progress, r->kernel_tree);
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

static int command_run(const struct parsed_line *line)
{
	_cleanup_(run_clear) struct run r = { .rootfs = ROOTFS_NONE,
					      .root = ROOT_NONE,
					      .began = time(NULL) };
	_cleanup_error_ struct error *err = NULL;

	if (run_read_line(&r, line, &err) < 0)
		return report_usage(line->name, "%s", error_text(err));
	if (line->operand_count)
		r.config.argv = line->operands;
	if (!r.json && vm_terminal_find(&r.terminal, r.config.argv != NULL))
		r.config.terminal = &r.terminal;
	if (!r.config.argv && !r.config.terminal)
		return report_usage(line->name,
				    "a shell needs a terminal%s; give a command after --",
				    r.json ? ", and --json has none" : "");
	return run_guest(&r);
}

const struct command run_command = {
	.name = "run",
	.summary = "boot a kernel on a rootfs and run a command in it",
	.about = "Boots a kernel on a rootfs with vng and runs COMMAND (default: a login shell) as "
		 "root in the guest. Shows the command's output and returns its exit status. The "
		 "guest cannot change the rootfs: its writes go to memory and are lost when the VM "
		 "exits.\n"
		 "\n"
		 "On a terminal, COMMAND gets a terminal too, as with ssh -t: Ctrl-C and resizing "
		 "work, and ~. at the start of a line ends the VM. If any of your standard streams "
		 "is not a terminal, COMMAND gets three separate streams.",
	.statuses = "COMMAND's own (127 if the guest does not have it); 124 the timeout expired; "
		    "125 the VM failed: the kernel panicked, or did not boot; 1 no such rootfs; 2 "
		    "wrong command line, or no such kernel; 4 the mirror failed (distro); 5 the "
		    "host lacks something; 6 the rootfs is being replaced or deleted; 130 "
		    "interrupted.",
	.rows = run_rows,
	.operands = "[-- COMMAND [ARGUMENT…]]",
	.run = command_run,
};
