/* What a program asks of the dynamic loader. The file is data of unknown origin: every offset is
 * checked, and a damaged file asks for nothing. Format: elf(5); symbol versions as in the Linux
 * Standard Base, "Symbol Versioning". */
#pragma once

#include <stddef.h>

/* Called for each library (DT_NEEDED; VERSION is NULL) and for each version of its symbols
 * (DT_VERNEED). The strings are the file's, terminated. */
typedef void elf_visitor(const char *library, const char *version, void *context);

struct elf_program {
	const char *loader; /* PT_INTERP */
	const char *path;   /* DT_RUNPATH or DT_RPATH; NULL: none */
};

/* Reads the SIZE bytes at DATA, of either word size and byte order. Returns the program, whose
 * strings are DATA's; LOADER is NULL for anything that needs no loader. VISIT may be NULL. */
struct elf_program elf_read(const void *data, size_t size, elf_visitor *visit, void *context);
