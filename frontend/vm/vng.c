#include "frontend/vm/vng.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/cli/child.h"
#include "frontend/cli/paths.h"
#include "frontend/cli/text.h"
#include "frontend/cli/tree.h"
#include "frontend/vm/host_tsc.h"
#include "frontend/vm/vm_directory.h"
#include "frontend/vm/vng_places.h"

#define SCRIPT_MOST 65536

/* A PCI bus has 32 slots. vng and the shared directories take one each, from the first on. The
 * disks take slots that nothing else uses, eight per slot, in the order in which the guest names
 * them; on a q35, the last slot belongs to the chipset. Source: PCI 3.0, 6.1. */
#define PCI_FUNCTIONS 8
#define DISK_SLOT ((size_t)24)
_Static_assert(DISK_SLOT + VM_DISKS_MAX / PCI_FUNCTIONS <= 31, "the disks have room on the bus");

static void quote(FILE *out, const char *word)
{
	fputc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			fputc(*word, out);
	}
	fputc('\'', out);
}

/* Writes the lines that must precede frontend/guest/command.sh. */
static void vng_write_settings(FILE *out, const struct vm_config *config)
{
	fprintf(out, "tree=%s terminal=", config->root.kind == VM_ROOT_TREE ? "1" : "");
	if (config->terminal) {
		quote(out, config->terminal->type);
		fprintf(out, " rows=%u columns=%u", config->terminal->rows,
			config->terminal->columns);
	}
	fputs("\nset --", out);
	for (char *const *word = config->argv; word && *word; word++) {
		fputc(' ', out);
		quote(out, *word);
	}
	fputc('\n', out);
}

char *vng_guest_script(const struct vm_config *config, struct error **err)
{
	_cleanup_free_ char *path = paths_data("guest/command.sh", err);
	_cleanup_free_ char *rest = path ? file_read(path, SCRIPT_MOST, NULL, err) : NULL;
	char *text = NULL;
	size_t size;
	FILE *out = rest ? open_memstream(&text, &size) : NULL;

	if (!rest)
		return NULL;
	if (out) {
		vng_write_settings(out, config);
		fputs(rest, out);
	}
	if (!out || fclose(out) != 0) {
		free(text);
		error_no_memory(err);
		return NULL;
	}
	return text;
}

/* The console and the status line are FIFOs that our parent reads. vng sends the console to
 * /dev/null; -set redirects it to our FIFO. The command's terminal is the guest's /dev/hvc0, on a
 * pair of FIFOs that qemu finds under the names terminal.in and terminal.out. The disks are
 * explicitly raw, since qemu protects block 0 of an image whose format it had to guess. vng closes
 * inherited descriptors before it starts qemu, so qemu opens the disks and an uncompressed kernel
 * through vng's. */
static char *qemu_options(const struct vm_config *config, const char *dir, const int *disks)
{
	char self[32] = "";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	/* Not getpid(): unsealed, /proc is the host's, where this process has another pid. */
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
		self[0] = '\0';
	fputs("--qemu-opts=-no-reboot", out);
	if (!config->unsealed)
		fputs(" -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
		      "resourcecontrol=deny",
		      out);
	fprintf(out,
		" -set chardev.console.path=%s/console"
		" -chardev file,id=rootlet-status,path=%s/status"
		" -device virtio-serial-pci"
		" -device virtserialport,name=" VM_STATUS_PORT ",chardev=rootlet-status",
		dir, dir);
	if (config->terminal)
		fprintf(out,
			" -chardev pipe,id=rootlet-terminal,path=%s/terminal"
			" -device virtio-serial-pci"
			" -device virtconsole,chardev=rootlet-terminal",
			dir);
	/* The stub stops the guest when the debugger stops it, and does not start it before. */
	if (config->gdb)
		fprintf(out,
			" -S -chardev pipe,id=rootlet-gdb,path=%s/" VM_GDB
			" -gdb chardev:rootlet-gdb",
			dir);
	/* A guest that resets or powers off is paused, until the monitor says more. */
	if (config->dump)
		fprintf(out,
			" -no-shutdown -chardev pipe,id=rootlet-monitor,path=%s/" VM_MONITOR
			" -mon chardev=rootlet-monitor,mode=control",
			dir);
	/* It replaces the bzImage, which vng has read the version from. */
	if (config->kernel->elf >= 0)
		fprintf(out, " -kernel /proc/%s/fd/%d", self, config->kernel->elf);
	for (size_t i = 0; i < config->disk_count; i++)
		fprintf(out,
			" -drive if=none,id=disk%zu,format=raw,cache=unsafe,discard=unmap,"
			"readonly=%s,file=/proc/%s/fd/%d"
			" -device virtio-blk-pci,drive=disk%zu,serial=%s,addr=0x%zx.%zu%s",
			i, config->disks[i].read_only ? "on" : "off", self, disks[i], i,
			config->disks[i].name, DISK_SLOT + i / PCI_FUNCTIONS, i % PCI_FUNCTIONS,
			i % PCI_FUNCTIONS ? "" : ",multifunction=on");
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* A NULL-terminated argument vector of fixed size. */
struct vng_words {
	const char *word[256];
	size_t count;
};

static void vng_add(struct vng_words *words, const char *word)
{
	if (words->count + 1 < sizeof(words->word) / sizeof(*words->word))
		words->word[words->count++] = word;
}

static void add_pair(struct vng_words *words, const char *option, const char *value)
{
	vng_add(words, option);
	vng_add(words, value);
}

/* Adds an option with a formatted value, which is never freed: the process becomes vng. */
static void add_composed(struct vng_words *words, const char *option, const char *format, ...)
	PRINTF_LIKE(3, 4);
static void add_composed(struct vng_words *words, const char *option, const char *format, ...)
{
	char *value;
	va_list ap;

	va_start(ap, format);
	value = text_vformat(format, ap);
	va_end(ap);
	if (value)
		add_pair(words, option, value);
}

static void add_root(struct vng_words *words, const struct vm_root *root, const char *dir)
{
	if (root->kind != VM_ROOT_HOST)
		add_composed(words, "--root", "%s/root", dir);
	if (root->kind != VM_ROOT_TREE || !root->virtiofs)
		vng_add(words, "--force-9p");
}

/* On a busy host an emulated guest's timer may fire too late, and the kernel's timer check then
 * panics; with KVM the kernel skips this check. All processors of an emulated guest share the
 * host's TSC, but with more than one the kernel distrusts it and takes the HPET, which is slow: a
 * boot on a busy host has been seen to hang with it. The kernel would measure the TSC against such
 * late timers: its clock has been seen to run nine times too fast. */
static void add_emulated_clock(struct vng_words *words)
{
	unsigned khz = host_tsc_khz();

	add_pair(words, "--append", "no_timer_check tsc=reliable");
	if (khz > 0)
		add_composed(words, "--append", "tsc_early_khz=%u", khz);
}

/* Our loglevel overrides vng's: a failed boot leaves its errors and a good one nothing, unless
 * config->console is set. */
static void add_kernel_words(struct vng_words *words, const struct vm_config *config)
{
	add_pair(words, "--append",
		 config->console ? "loglevel=7 panic=-1" : "loglevel=4 panic=-1");
	if (!config->kvm)
		add_emulated_clock(words);
	if (config->gdb)
		add_pair(words, "--append", "nokaslr"); /* addresses are those of vmlinux */
	if (config->append)
		add_pair(words, "--append", config->append);
}

/* microvm has no PCI bus, which the disks and the status line need. */
static void fill_words(struct vng_words *words, const struct vm_config *config, const char *dir)
{
	vng_add(words, "vng");
	add_composed(words, "--run", "%s/kernel/boot/vmlinuz", dir);
	add_pair(words, "--name", "rootlet");
	add_pair(words, "--memory", config->memory);
	add_pair(words, "--cpus", config->cpus);
	vng_add(words, "--disable-microvm");
	if (!config->kvm)
		vng_add(words, "--disable-kvm");
	add_root(words, &config->root, dir);
	for (size_t i = 0; i < config->share_count; i++)
		add_composed(words, config->shares[i].read_only ? "--rodir" : "--rwdir",
			     "%s=%s/share%zu", config->shares[i].guest, dir, i);
	add_kernel_words(words, config);
	for (const char *const *word = config->vng_words; word && *word; word++)
		vng_add(words, *word);
	if (config->root.kind == VM_ROOT_HOST)
		add_composed(words, "--exec", "sh %s/command", dir);
	else
		add_pair(words, "--exec", "sh /" VNG_GUEST_SCRIPT);
}

/* The virtiofsd that vng can use prints "virtiofsd 1.10.0". qemu's old one prints "virtiofsd
 * version 7.2.0"; it must run as root, and prints its version only if its caller has no
 * supplementary groups. */
static bool is_virtiofsd(const char *program)
{
	_cleanup_close_ int out = memfd_create("version", MFD_CLOEXEC);
	const char *argv[] = { program, "--version", NULL };
	_cleanup_error_ struct error *ignored = NULL;
	char text[64] = "";
	pid_t pid;

	return out >= 0 && child_start(argv, (int[3]){ -1, out, -1 }, &pid, &ignored) == 0 &&
	       child_wait(pid, &ignored) == 0 && pread(out, text, sizeof(text) - 1, 0) > 0 &&
	       strncmp(text, "virtiofsd ", 10) == 0 && isdigit((unsigned char)text[10]);
}

/* Most distributions install it outside PATH. */
bool vng_has_virtiofsd(void)
{
	static const char *const places[] = { "virtiofsd", "/usr/libexec/virtiofsd",
					      "/usr/lib/virtiofsd/virtiofsd", "/usr/lib/virtiofsd",
					      "/usr/lib/qemu/virtiofsd" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (is_virtiofsd(places[i]))
			return true;
	return false;
}

/* The environment variables that a sealed vng keeps: those that locate its installation or affect
 * how text is shown. Others may hold tokens, or paths of agents' sockets. */
static bool is_kept(const char *variable)
{
	static const char *const kept[] = { "PATH=",	    "LANG=",	   "LANGUAGE=",
					    "LC_",	    "TERM=",	   "COLORTERM=",
					    "COLUMNS=",	    "LINES=",	   "LD_LIBRARY_PATH=",
					    "PYTHONPATH=",  "PYTHONHOME=", "PYTHONUSERBASE=",
					    "VIRTUAL_ENV=", "PYENV_ROOT=", "PYENV_VERSION=" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (text_has_prefix(variable, kept[i]))
			return true;
	return false;
}

static void reduce_environment(void)
{
	char **out = environ;

	for (char **in = environ; in && *in; in++)
		if (is_kept(*in))
			*out++ = *in;
	if (out)
		*out = NULL;
}

/* Points HOME, and so vng's cache, into the VM's directory. Python still finds packages in the
 * caller's ~/.local. */
static void set_environment(const char *dir, bool sealed)
{
	_cleanup_free_ char *path = vng_path();
	_cleanup_free_ char *temporary = NULL;
	_cleanup_free_ char *base = NULL;
	const char *home = getenv("HOME");

	if (sealed && home && !getenv("PYTHONUSERBASE") && asprintf(&base, "%s/.local", home) >= 0)
		setenv("PYTHONUSERBASE", base, 1);
	if (sealed)
		reduce_environment();
	if (path)
		setenv("PATH", path, 1);
	if (asprintf(&temporary, "%s/tmp", dir) < 0)
		return;
	setenv("TMPDIR", temporary, 1);
	if (sealed)
		setenv("HOME", temporary, 1);
}

int vng_exec(const struct vm_config *config, const char *dir, const int *disks, struct error **err)
{
	struct vng_words words = { 0 };
	char *options = qemu_options(config, dir, disks);

	if (!options)
		return error_errno(err, ERR_SYSTEM, "cannot start vng");
	fill_words(&words, config, dir);
	vng_add(&words, options);
	words.word[words.count] = NULL;
	set_environment(dir, !config->unsealed && config->root.kind != VM_ROOT_HOST);
	for (size_t i = 0; i < config->disk_count; i++)
		fcntl(disks[i], F_SETFD, 0);
	if (config->kernel->elf >= 0)
		fcntl(config->kernel->elf, F_SETFD, 0);
	execvp(words.word[0], (char *const *)words.word);
	if (errno == ENOENT)
		return error_set(err, ERR_HOST,
				 "cannot start vng: not installed%s; run: rootlet doctor",
				 config->unsealed ? "" : ", or visible only with --unsealed");
	return error_errno(err, ERR_HOST, "cannot start vng");
}
