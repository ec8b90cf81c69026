#include "frontend/vm/kernel_tree.h"

#include <stdbool.h>
#include <string.h>

static bool has_all_of(const char *dir, const char *const *names)
{
	for (; *names; names++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, *names) < 0) {
			path = NULL;
			return false;
		}
		if (access(path, F_OK) < 0)
			return false;
	}
	return true;
}

static bool is_kernel_tree(const char *dir)
{
	static const char *const source[] = { "Kbuild",	     "Kconfig",
					      "MAINTAINERS", "scripts/Kbuild.include",
					      "init/main.c", NULL };
	/* A build directory of make O=…, outside the source. */
	static const char *const build[] = { ".config", "Makefile", "include/config/auto.conf",
					     "arch/x86/boot", NULL };

	return has_all_of(dir, source) || has_all_of(dir, build);
}

char *kernel_tree_find(void)
{
	char *dir = getcwd(NULL, 0), *slash;

	while (dir && !is_kernel_tree(dir)) {
		slash = strrchr(dir, '/');
		if (!slash || slash == dir) {
			free(dir);
			return NULL;
		}
		*slash = '\0';
	}
	return dir;
}

void kernel_tree_note(struct progress *progress, const char *tree)
{
	if (tree)
		progress_note(progress, "the kernel is that of %s, which you are in", tree);
}

int kernel_tree_missing(struct error **err)
{
	return error_set(err, ERR_INPUT,
			 "--kernel is missing: give a bzImage, a kernel build directory, or the "
			 "word distro, or run this inside a kernel tree");
}
