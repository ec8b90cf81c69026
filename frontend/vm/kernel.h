/* The kernel that `rootlet run` boots: a bzImage, a kernel build directory, or the kernel package
 * of the rootfs's release, which is downloaded and verified like any other package and unpacked in
 * the cache. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

struct kernel {
	char *image;   /* absolute path of a bzImage */
	char *version; /* as `uname -r` prints it; NULL if the image does not contain it */
	char *modules; /* absolute path of …/lib/modules/VERSION; NULL if none */
	char *build;   /* build directory to take modules from; NULL if none */
	int elf;       /* the kernel inside IMAGE, to boot instead of it; -1: boot IMAGE */
};

/* PATH is an image or a build directory. Sets ERR_INPUT if it does not exist or is not a kernel.
 * Image format: Linux Documentation/arch/x86/boot.rst. */
int kernel_open(const char *path, struct kernel **out, struct error **err);

/* Sets K->elf, if BOOT ("auto", the same as NULL, "bzimage" or "elf") asks for it. A bzImage
 * decompresses itself and may choose random addresses (KASLR). The ELF file inside it is started
 * through its PVH entry point; without KVM that saves three seconds, so "auto" prefers it there if
 * the kernel can: Linux 5.0 or newer with CONFIG_PVH. ERR_INPUT if "elf" is impossible. */
int kernel_choose_boot(struct kernel *k, const char *boot, bool kvm, struct error **err);

/* "elf" or "bzimage". */
const char *kernel_boot_name(const struct kernel *k);

/* The build directory that K's image lies in: a new string, or NULL. */
char *kernel_build_directory(const struct kernel *k);

/* The path of K with its symbols: vmlinux in its build directory, or that of the distribution's
 * package for debugging. A new string, or NULL. */
char *kernel_vmlinux(const struct kernel *k);

void kernel_free(struct kernel **kernel);
