/* Chooses the files of a kernel package to unpack. */
#pragma once

/* The path at which to unpack a file of a kernel package, which the caller frees; NULL to skip the
 * file, such as System.map or links to headers. See deb_files.h. */
char *kernel_file_place(const char *path);
