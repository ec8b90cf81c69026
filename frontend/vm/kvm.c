#include "frontend/vm/kvm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "frontend/archive/cache.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define DEADLINE_MS 2000
#define GUEST_CODE 0x1000

/* Exit statuses of the probe process. */
enum kvm_outcome { RUNS, NO_DEVICE, NO_ACCESS, NO_VM, NO_RUN, TOO_SLOW, OUTCOMES };

static const char *const reasons[OUTCOMES] = {
	[RUNS] = "",
	[NO_DEVICE] = "/dev/kvm does not exist",
	[NO_ACCESS] = "this user cannot open /dev/kvm",
	[NO_VM] = "/dev/kvm opens but cannot create a VM",
	[NO_RUN] = "/dev/kvm creates a VM but cannot run it",
	[TOO_SLOW] = "/dev/kvm creates a VM but runs it slower than emulation",
};

/* mov $2^26, %ecx; 1: dec %ecx; jnz 1b; hlt. A processor takes about 50 ms. A KVM that falls back
 * to interpreting (seen in a VM without nested virtualization) handles a single instruction well
 * enough but takes minutes for this loop; a kernel would not even finish unpacking itself. */
static const uint8_t guest_code[] = { 0xb9, 0x00, 0x00, 0x00, 0x04, 0xff, 0xc9, 0x75, 0xfc, 0xf4 };

/* Protected mode as at a kernel's entry: flat 4 GiB segments, no paging. */
static int set_registers(int vcpu)
{
	const struct kvm_segment data = { .limit = UINT32_MAX,
					  .selector = 16,
					  .type = 3,
					  .present = 1,
					  .db = 1,
					  .s = 1,
					  .g = 1 };
	struct kvm_regs registers = { .rip = GUEST_CODE, .rflags = 2 };
	struct kvm_sregs segments;

	if (ioctl(vcpu, KVM_GET_SREGS, &segments) < 0)
		return -1;
	segments.ds = segments.es = segments.fs = segments.gs = segments.ss = segments.cs = data;
	segments.cs.selector = 8;
	segments.cs.type = 11;
	segments.cr0 |= 1;
	if (ioctl(vcpu, KVM_SET_SREGS, &segments) < 0)
		return -1;
	return ioctl(vcpu, KVM_SET_REGS, &registers);
}

/* API: Linux Documentation/virt/kvm/api.rst. Frees nothing: the process exits right after. */
static enum kvm_outcome try_guest(void)
{
	int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm, vcpu, size;
	struct kvm_userspace_memory_region memory = { .memory_size = 0x2000 };
	struct kvm_run *run;
	uint8_t *pages;

	if (device < 0)
		return errno == ENOENT || errno == ENODEV ? NO_DEVICE : NO_ACCESS;
	vm = ioctl(device, KVM_CREATE_VM, 0);
	if (vm < 0)
		return NO_VM;
	pages = mmap(NULL, memory.memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (pages == MAP_FAILED)
		return NO_VM;
	memcpy(pages + GUEST_CODE, guest_code, sizeof(guest_code));
	memory.userspace_addr = (uintptr_t)pages;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &memory) < 0)
		return NO_VM;
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size = ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < (int)sizeof(*run) || set_registers(vcpu) < 0)
		return NO_RUN;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_HLT)
		return NO_RUN;
	return RUNS;
}

/* Runs in its own process, since it may hang in the kernel; a hung one is left to init. */
static enum kvm_outcome probe(void)
{
	pid_t child = fork();
	struct pollfd ended = { .events = POLLIN };
	int status;

	if (child == 0)
		_exit(try_guest());
	if (child < 0)
		return NO_RUN;
	ended.fd = (int)syscall(SYS_pidfd_open, child, 0);
	if (ended.fd >= 0 && RETRY_ON_EINTR(poll(&ended, 1, DEADLINE_MS)) == 0) {
		kill(child, SIGKILL);
		RETRY_ON_EINTR(poll(&ended, 1, DEADLINE_MS / 4));
		waitpid(child, NULL, WNOHANG);
		closep(&ended.fd);
		return TOO_SLOW;
	}
	closep(&ended.fd);
	if (RETRY_ON_EINTR(waitpid(child, &status, 0)) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) >= OUTCOMES)
		return NO_RUN;
	return (enum kvm_outcome)WEXITSTATUS(status);
}

/* The conditions under which a cached result is valid: this boot, and this device with these
 * permissions. */
static char *situation(void)
{
	_cleanup_fclose_ FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
	struct stat st = { 0 };
	char boot[64] = "";
	char *text;

	if (!in || !fgets(boot, sizeof(boot), in))
		return NULL;
	boot[strcspn(boot, "\n")] = '\0';
	stat("/dev/kvm", &st);
	if (asprintf(&text, "%s %lx %o %u %u %d\n", boot, (unsigned long)st.st_rdev, st.st_mode,
		     st.st_uid, st.st_gid, access("/dev/kvm", R_OK | W_OK)) < 0)
		return NULL;
	return text;
}

static bool recall(const char *path, const char *now, enum kvm_outcome *outcome)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	char line[256];
	int number;

	if (!in || !fgets(line, sizeof(line), in) || strcmp(line, now) != 0 ||
	    fscanf(in, "%d", &number) != 1 || number < 0 || number >= OUTCOMES)
		return false;
	*outcome = (enum kvm_outcome)number;
	return true;
}

static void kvm_remember(const char *path, const char *now, enum kvm_outcome outcome)
{
	_cleanup_free_ char *staging = NULL;
	FILE *file;
	int fd;

	if (asprintf(&staging, "%s.XXXXXX", path) < 0 || (fd = mkostemp(staging, O_CLOEXEC)) < 0)
		return;
	file = fdopen(fd, "w");
	if (!file) {
		closep(&fd);
		unlink(staging);
		return;
	}
	fprintf(file, "%s%d\n", now, (int)outcome);
	if (fclose(file) != 0 || rename(staging, path) < 0)
		unlink(staging);
}

bool kvm_runs(char *why, size_t size)
{
	_cleanup_error_ struct error *ignored = NULL;
	_cleanup_free_ char *dir = cache_path("host", &ignored);
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *now = situation();
	enum kvm_outcome outcome;

	if (dir && asprintf(&path, "%s/kvm", dir) < 0)
		path = NULL;
	if (!path || !now || !recall(path, now, &outcome)) {
		outcome = probe();
		if (path && now)
			kvm_remember(path, now, outcome);
	}
	if (size)
		snprintf(why, size, "%s", reasons[outcome]);
	return outcome == RUNS;
}
