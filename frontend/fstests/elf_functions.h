/* Finds functions in the symbol table of a vmlinux or a module. The file is untrusted: every offset
 * is checked. 64-bit, little-endian: what rootlet boots. Format: elf(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the kernel names a place in a trace: "NAME+0xOFFSET/0xSIZE". */
struct elf_function {
	const char *name;
	uint64_t size; /* up to the next symbol, as kallsyms counts */

	/* What elf_functions_find() found; SECTION is NULL if nothing. */
	const char *section;
	uint64_t address; /* in a module: within SECTION */
};

/* Looks up all FUNCTIONS in the file of SIZE bytes at DATA. One with another size than asked for is
 * of another build, and is not found. Results point into DATA. */
void elf_functions_find(const void *data, size_t size, struct elf_function *functions,
			size_t count);

/* Whether it is an object file, whose sections have no addresses yet: a module. */
bool elf_is_relocatable(const void *data, size_t size);
