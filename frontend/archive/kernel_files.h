/* Which files of a kernel package are unpacked. */
#pragma once

/* Where a file of a kernel package goes, the caller's to free; NULL: it stays out. See deb_files.h.
 */
char *kernel_file_place(const char *path);
