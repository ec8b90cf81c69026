/* What a kernel or a rootfs lacks for configurations, found before a guest boots. */
#pragma once

#include "frontend/fstests/configuration.h"
#include "frontend/rootfs/manifest.h"
#include "frontend/vm/kernel_features.h"

/* Whether the kernel is older than what the configuration needs. */
bool kernel_is_too_old(const struct kernel *kernel, const struct test_configuration *c);

/* The part of OPTION, "A|B", that the kernel has, as its configuration says: 'y' or 'm'; 'n' if
 * none, 0 if the kernel's configuration is unknown. */
char kernel_has_option(const struct kernel_features *features, const char *option);

/* ERR_INPUT if the kernel is certainly too old for one of them, or lacks an option that it needs.
 */
int configurations_check_kernel(const struct configurations *c, const struct kernel *kernel,
				struct error **err);

/* ERR_MISSING if the rootfs of MANIFEST lacks a package that one of them needs. */
int configurations_check_packages(const struct configurations *c, const struct manifest *manifest,
				  struct error **err);
