/* frontend/fstests/elf.c: what a program needs from the loader, in both word sizes and byte orders,
 * and that a damaged one causes no reads outside its file. */
#include "frontend/fstests/elf.h"

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

#define SIZE 2048
#define LOADER_AT 0x300
#define STRINGS_AT 0x340
#define DYNAMIC_AT 0x400
#define VERSIONS_AT 0x500
#define BASE 0x10000 /* load address of the file's start */

static uint8_t file[SIZE];
static bool wide, big;

static void put(size_t at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		file[at + (big ? bytes - 1 - i : i)] = (uint8_t)(value >> (8 * i));
}

#define PUT(at, type, name, value)                                                                 \
	put((at) + (wide ? offsetof(Elf64_##type, name) : offsetof(Elf32_##type, name)), (value),  \
	    wide ? sizeof(((Elf64_##type *)0)->name) : sizeof(((Elf32_##type *)0)->name))

static void put_header(size_t i, uint32_t type, uint64_t offset, uint64_t address, uint64_t size)
{
	size_t at = 0x100 + i * (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));

	PUT(at, Phdr, p_type, type);
	PUT(at, Phdr, p_offset, offset);
	PUT(at, Phdr, p_vaddr, address);
	PUT(at, Phdr, p_filesz, size);
}

static size_t dynamic_count;

static void put_dynamic(uint64_t tag, uint64_t value)
{
	size_t at = DYNAMIC_AT + dynamic_count++ * (wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn));

	PUT(at, Dyn, d_tag, tag);
	PUT(at, Dyn, d_un, value);
}

/* Strings and their offsets in the table: "" libc.so.6 libm.so.6 GLIBC_2.34 GLIBC_2.2 /opt/lib */
static const char strings[] = "\0libc.so.6\0libm.so.6\0GLIBC_2.34\0GLIBC_2.2\0/opt/lib";
enum { LIBC = 1, LIBM = 11, GLIBC_NEW = 21, GLIBC_OLD = 32, RUNPATH = 42 };

static void make(bool wide_words, bool big_first, uint64_t path_tag)
{
	memset(file, 0, sizeof(file));
	wide = wide_words;
	big = big_first;
	dynamic_count = 0;
	memcpy(file, ELFMAG, SELFMAG);
	file[EI_CLASS] = wide ? ELFCLASS64 : ELFCLASS32;
	file[EI_DATA] = big ? ELFDATA2MSB : ELFDATA2LSB;
	PUT(0, Ehdr, e_phoff, 0x100);
	PUT(0, Ehdr, e_phentsize, wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	PUT(0, Ehdr, e_phnum, 4);
	put_header(0, PT_INTERP, LOADER_AT, BASE + LOADER_AT, 16);
	put_header(1, PT_LOAD, 0, 0x1000, 0x10);
	put_header(2, PT_LOAD, 0, BASE, SIZE);
	put_header(3, PT_DYNAMIC, DYNAMIC_AT, BASE + DYNAMIC_AT, 0x100);
	memcpy(file + LOADER_AT, "/lib/ld.so", sizeof("/lib/ld.so"));
	memcpy(file + STRINGS_AT, strings, sizeof(strings));
	put_dynamic(DT_NEEDED, LIBC);
	put_dynamic(DT_STRTAB, BASE + STRINGS_AT);
	put_dynamic(DT_NEEDED, LIBM);
	if (path_tag == DT_RUNPATH)
		put_dynamic(DT_RPATH, GLIBC_OLD);
	if (path_tag)
		put_dynamic(path_tag, RUNPATH);
	put_dynamic(DT_VERNEED, BASE + VERSIONS_AT);
	put_dynamic(DT_NULL, 0);
	put_dynamic(DT_NEEDED, GLIBC_NEW);
	/* Two libraries; the first with two versions. */
	PUT(VERSIONS_AT, Verneed, vn_file, LIBC);
	PUT(VERSIONS_AT, Verneed, vn_aux, 0x20);
	PUT(VERSIONS_AT, Verneed, vn_next, 0x80);
	PUT(VERSIONS_AT + 0x20, Vernaux, vna_name, GLIBC_NEW);
	PUT(VERSIONS_AT + 0x20, Vernaux, vna_next, 0x20);
	PUT(VERSIONS_AT + 0x40, Vernaux, vna_name, GLIBC_OLD);
	PUT(VERSIONS_AT + 0x80, Verneed, vn_file, LIBM);
	PUT(VERSIONS_AT + 0x80, Verneed, vn_aux, 0x20);
	PUT(VERSIONS_AT + 0xa0, Vernaux, vna_name, GLIBC_OLD);
}

static void note(const char *library, const char *version, void *context)
{
	char *text = context;
	size_t used = strlen(text);

	snprintf(text + used, 512 - used, "%s%s%s ", library, version ? "/" : "",
		 version ? version : "");
}

#define ALL "libc.so.6 libm.so.6 libc.so.6/GLIBC_2.34 libc.so.6/GLIBC_2.2 libm.so.6/GLIBC_2.2 "

static void check_forms(void)
{
	for (int form = 0; form < 4; form++) {
		char text[512] = "";
		struct elf_program program;

		make(form & 1, form & 2, DT_RUNPATH);
		program = elf_read(file, sizeof(file), note, text);
		tap_check(tap_same(program.loader, "/lib/ld.so") &&
				  tap_same(program.path, "/opt/lib") && strcmp(text, ALL) == 0,
			  "%d bits, %s first: %s", wide ? 64 : 32, big ? "most" : "least", text);
		make(form & 1, form & 2, DT_RPATH);
		program = elf_read(file, sizeof(file), NULL, NULL);
		tap_check(tap_same(program.path, "/opt/lib"), "an old-fashioned path");
		make(form & 1, form & 2, 0);
		program = elf_read(file, sizeof(file), NULL, NULL);
		tap_check(program.loader && !program.path, "no path");
	}
}

static void check_others(void)
{
	char text[512] = "";
	struct elf_program program;

	make(true, false, 0);
	file[0] = 'x';
	program = elf_read(file, sizeof(file), note, text);
	tap_check(!program.loader && !*text, "something other than ELF needs nothing");
	make(true, false, 0);
	put_header(0, PT_NULL, 0, 0, 0);
	program = elf_read(file, sizeof(file), note, text);
	tap_check(!program.loader && !*text, "a program without a loader needs nothing");
	make(true, false, 0);
	memset(file + LOADER_AT, 'x', SIZE - LOADER_AT);
	program = elf_read(file, sizeof(file), note, text);
	tap_check(!program.loader, "an unterminated loader name is ignored");
	make(true, false, 0);
	PUT(VERSIONS_AT + 0x40, Vernaux, vna_next, (uint32_t)-0x20);
	elf_read(file, sizeof(file), note, text);
	tap_check(true, "a cycle of versions ends");
}

/* Removes or changes each byte: the sanitizers notice reads outside the file. */
static void check_damage(void)
{
	size_t named = 0;

	for (size_t size = 0; size < SIZE; size += 3) {
		char text[512] = "";
		uint8_t *copy = malloc(size ? size : 1);

		make(size & 1, size & 2, DT_RUNPATH);
		if (!copy)
			return;
		memcpy(copy, file, size);
		elf_read(copy, size, note, text);
		named += *text != '\0';
		free(copy);
	}
	tap_check(named > 100, "a truncated file is read as far as it goes");
	for (size_t at = 0; at < 0x600; at++) {
		char text[512] = "";

		make(at & 1, at & 2, DT_RUNPATH);
		file[at] ^= 0xff;
		elf_read(file, sizeof(file), note, text);
	}
	tap_check(true, "files with a changed byte are read");
}

int main(void)
{
	check_forms();
	check_others();
	check_damage();
	return tap_done();
}
