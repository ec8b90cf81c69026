/* Source lines of addresses, by addr2line(1), which kernel developers have: it comes with the
 * linker. It parses a file that is as untrusted as the kernel under test, so it runs confined: it
 * can read the system's programs and libraries and this file, write nothing, and reach no network
 * and no process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

/* Sets LINES[i] to "FILE:LINE" of ADDRESSES[i] in the ELF file PATH, or to NULL if unknown; the
 * caller frees them. SECTION: addresses are offsets in it; NULL: they are addresses of the program.
 * ERR_MISSING if there is no addr2line. */
int addr2line(const char *path, const char *section, const uint64_t *addresses, size_t count,
	      char **lines, struct error **err);
