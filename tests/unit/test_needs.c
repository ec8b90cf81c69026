/* frontend/fstests/needs.c and elf.c: what the programs in a tree need, for a real program (this
 * one), one for another machine, and damaged ones. */
#include "frontend/fstests/needs.h"

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/tree.h"
#include "frontend/fstests/elf.h"
#include "lib/write_all.h"
#include "scratch.h"
#include "tap.h"

static char *self;
static size_t self_size;

#define DAMAGED 2008 /* bytes at the start of a program, which contain its headers */

struct seen {
	char text[8192];
	bool versions;
};

static void see(const char *library, const char *version, void *context)
{
	struct seen *seen = context;
	size_t used = strlen(seen->text);

	if (!version)
		snprintf(seen->text + used, sizeof(seen->text) - used, "%s ", library);
	else if (strncmp(version, "GLIBC_", 6) == 0 && strcmp(library, "libc.so.6") == 0)
		seen->versions = true;
}

static void own_program(void)
{
	struct seen seen = { 0 };
	struct elf_program program = elf_read(self, self_size, see, &seen);

	tap_check(program.loader && strstr(program.loader, "/ld-"), "this program has a loader");
	tap_check(strstr(seen.text, "libc.so.6 "), "it needs libc.so.6: %s", seen.text);
	tap_check(seen.versions, "and versions of its symbols");
}

/* A 32-bit big-endian program in a single segment. */
static void foreign_program(void)
{
	static struct {
		Elf32_Ehdr header;
		Elf32_Phdr segments[3];
		Elf32_Dyn dynamic[4];
		char strings[64];
	} file = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2MSB,
					 EV_CURRENT } },
		.strings = "\0/lib/ld.so.1\0libfar.so.7\0/opt/far",
	};
	const uint32_t base = 0x10000, strings = offsetof(__typeof__(file), strings);
	struct seen seen = { 0 };
	struct elf_program program;

	file.header.e_phoff = htobe32(offsetof(__typeof__(file), segments));
	file.header.e_phentsize = htobe16(sizeof(Elf32_Phdr));
	file.header.e_phnum = htobe16(3);
	file.segments[0] = (Elf32_Phdr){ .p_type = htobe32(PT_LOAD),
					 .p_vaddr = htobe32(base),
					 .p_filesz = htobe32(sizeof(file)) };
	file.segments[1] =
		(Elf32_Phdr){ .p_type = htobe32(PT_INTERP), .p_offset = htobe32(strings + 1) };
	file.segments[2] = (Elf32_Phdr){ .p_type = htobe32(PT_DYNAMIC),
					 .p_offset = htobe32(offsetof(__typeof__(file), dynamic)) };
	file.dynamic[0] = (Elf32_Dyn){ .d_tag = (Elf32_Sword)htobe32(DT_NEEDED),
				       .d_un = { .d_val = htobe32(14) } };
	file.dynamic[1] = (Elf32_Dyn){ .d_tag = (Elf32_Sword)htobe32(DT_STRTAB),
				       .d_un = { .d_ptr = htobe32(base + strings) } };
	file.dynamic[2] = (Elf32_Dyn){ .d_tag = (Elf32_Sword)htobe32(DT_RUNPATH),
				       .d_un = { .d_val = htobe32(26) } };
	program = elf_read(&file, sizeof(file), see, &seen);
	tap_check(tap_same(program.loader, "/lib/ld.so.1"), "another machine's loader");
	tap_check(tap_same(seen.text, "libfar.so.7 "), "its library: %s", seen.text);
	tap_check(tap_same(program.path, "/opt/far"),
		  "the library path of the other machine's program");
}

/* Each copy has the exact size, so that a sanitizer notices reads past its end. */
static void damaged_programs(void)
{
	struct seen seen = { 0 };
	const size_t whole = self_size;
	size_t step = whole / 512 + 1;

	if (whole <= DAMAGED) {
		tap_check(false, "a program to damage");
		return;
	}
	for (size_t size = 0; size < whole; size += size < 512 ? 1 : step) {
		char *part = malloc(size + !size);

		memcpy(part, self, size);
		elf_read(part, size, see, &seen);
		free(part);
	}
	srandom(1);
	for (int i = 0; i < 300; i++) {
		char *copy = malloc(whole);

		memcpy(copy, self, whole);
		for (int k = 0; k < 8; k++)
			copy[8 + (size_t)random() % (DAMAGED - 8)] = (char)random();
		elf_read(copy, whole, see, &seen);
		free(copy);
	}
	tap_check(true, "damaged programs are read to their end");
	tap_check(!elf_read("\177ELF", 4, see, &seen).loader, "four bytes need nothing");
}

static void put(int tree, const char *name, mode_t mode, const char *data, size_t size)
{
	int fd = openat(tree, name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (fd < 0 || write_all(fd, data, size) < 0 || fchmod(fd, mode) < 0)
		tap_check(false, "%s is written", name);
	close(fd);
}

static const struct {
	const char *name, *text;
	mode_t mode;
	const char *line; /* of NEEDS_FILE; NULL: none */
} scripts[] = {
	{ "check", "#!/bin/bash\n", 0755, "script\t/bin/bash\tcheck\t\n" },
	{ "src/again", "#! /bin/bash -x\n", 0755, NULL },
	{ "src/pearl", "#!/usr/bin/env pearl -w\n", 0755,
	  "script\t/usr/bin/env\tsrc/pearl\tpearl\n" },
	{ "src/other", "#!/usr/bin/env other", 0755, "script\t/usr/bin/env\tsrc/other\tother\n" },
	{ "src/awk", "#!/usr/bin/awk -f\nx", 0755, "script\t/usr/bin/awk\tsrc/awk\t\n" },
	{ "src/data", "#!/not/executable\n", 0644, NULL },
	{ "src/relative", "#!nothing\n", 0755, NULL },
	{ "src/below", "#!bin/below\n", 0755, NULL },
	{ "tools/developer", "#!/of/developers\n", 0755, NULL },
	{ "src/two\nlines", "#!/two/lines\n", 0755, NULL },
	{ ".git/hook", "#!/of/git\n", 0755, NULL },
	{ ".rootlet/x", "#!/of/rootlet\n", 0755, NULL },
};

static void whole_tree(const char *path, int tree)
{
	static const char *const dirs[] = { "src", "tools", ".git", ".rootlet" };
	_cleanup_error_ struct error *err = NULL;
	_cleanup_free_ char *text = NULL;
	const char *load;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		mkdirat(tree, dirs[i], 0755);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		put(tree, scripts[i].name, scripts[i].mode, scripts[i].text,
		    strlen(scripts[i].text));
	/* Neither replaces src/one. */
	put(tree, ".git/one", 0755, self, self_size);
	put(tree, ".rootlet/one", 0755, self, self_size);
	put(tree, "src/one", 0755, self, self_size);
	put(tree, "src/two", 0755, self, self_size);
	put(tree, "src/not-for-running", 0644, self, self_size);
	tap_check(symlinkat("/bin/sh", tree, "src/link") == 0, "a link is made");
	tap_check(needs_write(path, tree, &err) == 0, "a tree is read: %s",
		  err ? err->message : "");
	text = tree_read(tree, NEEDS_FILE, 65536, NULL, &err);
	if (!text)
		return;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		tap_check(scripts[i].line ? strstr(text, scripts[i].line) != NULL
					  : !strstr(text, scripts[i].name),
			  "in the list: %s", scripts[i].line ? "present" : "absent");
	load = strstr(text, "load\t/");
	tap_check(load && strstr(load, "\tsrc/one\n") && !strstr(text, "src/two\n") &&
			  !strstr(text, "not-for-running"),
		  "one program stands for all with the same needs");
}

int main(void)
{
	char path[SCRATCH_SIZE] = "needs";
	_cleanup_error_ struct error *err = NULL;
	char remove[256];
	int tree;

	self = file_read("/proc/self/exe", 64 << 20, &self_size, &err);
	tree = scratch_make(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	tap_check(self && tree >= 0, "a tree to try it on");
	if (!self || tree < 0)
		return tap_done();
	own_program();
	foreign_program();
	damaged_programs();
	whole_tree(path, tree);
	snprintf(remove, sizeof(remove), "rm -rf %s", path);
	tap_check(system(remove) == 0, "the tree is removed");
	return tap_done();
}
