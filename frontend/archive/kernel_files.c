#include "frontend/archive/kernel_files.h"

#include <stdbool.h>
#include <string.h>

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Where a file of a kernel package goes; the rest of it (headers' links, System.map) stays out. */
char *kernel_file_place(const char *path)
{
	if (has_prefix(path, "boot/vmlinuz-"))
		return strdup("boot/vmlinuz");
	if (has_prefix(path, "boot/config-"))
		return strdup("boot/config");
	if (has_prefix(path, "usr/lib/modules/"))
		path += strlen("usr/");
	if (!has_prefix(path, "lib/modules/"))
		return NULL;
	return strdup(path);
}
