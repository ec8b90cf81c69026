#include "frontend/archive/kernel_files.h"
#include "frontend/cli/text.h"

#include <stdbool.h>
#include <string.h>

char *kernel_file_place(const char *path)
{
	if (text_has_prefix(path, "boot/vmlinuz-"))
		return strdup("boot/vmlinuz");
	if (text_has_prefix(path, "boot/config-"))
		return strdup("boot/config");
	if (text_has_prefix(path, "usr/lib/modules/"))
		path += strlen("usr/");
	if (!text_has_prefix(path, "lib/modules/"))
		return NULL;
	return strdup(path);
}
