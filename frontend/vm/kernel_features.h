/* What a kernel can do, told before it is booted: from the configuration beside it or in it
 * (IKCONFIG), else from the lists of its modules. Sources: scripts/extract-ikconfig and
 * Documentation/arch/x86/boot.rst of Linux, modules.dep(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "frontend/vm/kernel.h"

enum kernel_feature {
	FEATURE_UNKNOWN, /* there is nothing that tells */
	FEATURE_ABSENT,
	FEATURE_MODULE, /* and the module is there */
	FEATURE_BUILTIN,
};

struct kernel_features;

/* Never fails: what cannot be read is unknown. The caller's to free. */
struct kernel_features *kernel_features_read(const struct kernel *kernel);
void kernel_features_free(struct kernel_features **features);

/* The configuration's text; NULL if it was not found. FEATURES' own. */
const char *kernel_config(const struct kernel_features *features);

/* OPTION without CONFIG_, "EROFS_FS"; MODULE is the name that modprobe knows, "erofs". */
enum kernel_feature kernel_feature(const struct kernel_features *features, const char *option,
				   const char *module);

/* True where it is certainly there. */
bool kernel_has(const struct kernel_features *features, const char *option, const char *module);

/* The file of MODULE and of all that it needs, in the order in which they have to be loaded, as
 * paths below FOLDER (…/lib/modules/VERSION), whose modules.dep names them. LIST, a NULL-terminated
 * vector, and its words are the caller's; what is already in LIST is not added again. Returns false
 * where there is no such module. */
bool modules_needed(const char *folder, const char *module, char ***list, size_t *count);
