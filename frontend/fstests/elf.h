/* Reads what a program needs from the dynamic loader. The file is untrusted: every offset is
 * checked, and a damaged file needs nothing. Format: elf(5); symbol versions as in the Linux
 * Standard Base, "Symbol Versioning". */
#pragma once

#include <stddef.h>

/* Called for each library (DT_NEEDED; VERSION is NULL) and for each symbol version required from it
 * (DT_VERNEED). The strings are in the file and null-terminated. */
typedef void elf_visitor(const char *library, const char *version, void *context);

struct elf_program {
	const char *loader; /* PT_INTERP */
	const char *path;   /* DT_RUNPATH or DT_RPATH; NULL if none */
};

/* Reads SIZE bytes at DATA, of either word size and byte order. The result's strings point into
 * DATA; LOADER is NULL for a file that needs no loader. VISIT may be NULL. */
struct elf_program elf_read(const void *data, size_t size, elf_visitor *visit, void *context);
