/* Preloaded into rootlet (not its helper, whose environment is empty): imitates a host on which
 * some calls of this program fail. PRETEND: "apparmor", user namespaces cannot be created;
 * "kvm-hangs", /dev/kvm accepts everything but never runs a guest; "aarch64", the processor. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PAGE 4096

static bool pretends(const char *what)
{
	const char *value = getenv("PRETEND");

	return value && strcmp(value, what) == 0;
}

/* As root of a user namespace, which AppArmor allows to create others. */
static bool may_mount(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & (1u << CAP_SYS_ADMIN)) != 0;
}

int unshare(int flags)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "unshare");

	if (!(flags & CLONE_NEWUSER) || !pretends("apparmor") || may_mount())
		return real(flags);
	errno = EPERM;
	return -1;
}

int uname(struct utsname *host)
{
	int result = (int)syscall(SYS_uname, host);

	if (result == 0 && pretends("aarch64"))
		strcpy(host->machine, "aarch64");
	return result;
}

static int pretend_kvm(unsigned long request)
{
	int fd;

	switch (request) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
		fd = memfd_create("kvm", MFD_CLOEXEC);
		return ftruncate(fd, PAGE) < 0 ? -1 : fd;
	case KVM_GET_VCPU_MMAP_SIZE:
		return PAGE;
	case KVM_RUN:
		for (;;)
			pause();
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	void *argument;
	va_list ap;

	if (_IOC_TYPE(request) == KVMIO && pretends("kvm-hangs"))
		return pretend_kvm(request);
	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	return real(fd, request, argument);
}
