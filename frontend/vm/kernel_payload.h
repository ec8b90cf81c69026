/* The kernel inside a bzImage, decompressed: an ELF file. Format of a bzImage: Linux
 * Documentation/arch/x86/boot.rst. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/error.h"

/* Decompresses the kernel in the bzImage PATH into a sealed memfd, which the caller closes. -1 with
 * ERR set if PATH is no bzImage or cannot be decompressed. Takes about a second for xz. */
int kernel_payload_open(const char *path, struct error **err);

/* Whether a hypervisor can start KERNEL without the boot code of a bzImage: it is for x86-64 and
 * has a PVH entry point (CONFIG_PVH). Source: Linux arch/x86/platform/pvh/head.S. */
bool kernel_payload_has_pvh(const char *kernel, size_t size);

/* Copies data into a memfd, since the decompressor reads from a descriptor. -1 with errno set. */
int kernel_part(const void *data, size_t size);
