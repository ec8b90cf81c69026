/* Which features a kernel has, determined before it boots: from the configuration file beside it or
 * embedded in it (IKCONFIG), otherwise from its module lists. Sources: Linux
 * scripts/extract-ikconfig and Documentation/arch/x86/boot.rst, modules.dep(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/vm/kernel.h"

enum kernel_feature {
	FEATURE_UNKNOWN, /* no configuration and no module lists */
	FEATURE_ABSENT,
	FEATURE_MODULE, /* a module, and it is installed */
	FEATURE_BUILTIN,
};

struct kernel_features;

/* Never fails: what it cannot read counts as unknown. The caller frees the result. */
struct kernel_features *kernel_features_read(const struct kernel *kernel);
void kernel_features_free(struct kernel_features **features);

/* The text of the configuration, or NULL if not found. FEATURES owns it. */
const char *kernel_config(const struct kernel_features *features);

/* OPTION lacks its CONFIG_ prefix ("EROFS_FS"); MODULE is the name for modprobe ("erofs"). */
enum kernel_feature kernel_feature(const struct kernel_features *features, const char *option,
				   const char *module);

/* Appends the files of MODULE and of all its dependencies to LIST, in load order, as paths relative
 * to `dir` (…/lib/modules/VERSION), which holds modules.dep. Skips files already in LIST. LIST
 * is NULL-terminated; the caller frees it and its strings. Returns false if modules.dep does not
 * list MODULE, or if out of memory. */
bool modules_needed(const char *dir, const char *module, char ***list, size_t *count);
