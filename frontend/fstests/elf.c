#include "frontend/fstests/elf.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Maximum table length, more than any program has: a damaged table may never end. */
#define ENTRIES_MOST 4096

struct elf {
	const uint8_t *data;
	size_t size;
	bool wide, big; /* 64-bit; big-endian */
};

/* A field's offset and size in the 32-bit and the 64-bit format. */
struct elf_field {
	uint8_t at32, size32, at64, size64;
};

#define FIELD(type, name)                                                                          \
	((struct elf_field){ offsetof(Elf32_##type, name), sizeof(((Elf32_##type *)0)->name),      \
			     offsetof(Elf64_##type, name), sizeof(((Elf64_##type *)0)->name) })

static uint64_t number(const struct elf *e, uint64_t at, size_t bytes)
{
	uint64_t value = 0;

	if (at > e->size || e->size - at < bytes)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | e->data[at + (e->big ? i : bytes - 1 - i)];
	return value;
}

static uint64_t value_of(const struct elf *e, uint64_t at, struct elf_field f)
{
	return e->wide ? number(e, at + f.at64, f.size64) : number(e, at + f.at32, f.size32);
}

/* Returns NULL if the string does not end within the file. */
static const char *elf_string(const struct elf *e, uint64_t at)
{
	if (at >= e->size || !memchr(e->data + at, '\0', e->size - at))
		return NULL;
	return (const char *)e->data + at;
}

/* Returns the offset of program header I. */
static uint64_t header_at(const struct elf *e, uint64_t i)
{
	return value_of(e, 0, FIELD(Ehdr, e_phoff)) + i * value_of(e, 0, FIELD(Ehdr, e_phentsize));
}

static uint64_t header_count(const struct elf *e)
{
	return value_of(e, 0, FIELD(Ehdr, e_phnum));
}

/* Returns the file offset of a memory address, or the file's size if no segment contains it. */
static uint64_t place_of(const struct elf *e, uint64_t address)
{
	for (uint64_t i = 0; i < header_count(e); i++) {
		uint64_t at = header_at(e, i);
		uint64_t start = value_of(e, at, FIELD(Phdr, p_vaddr));

		if (value_of(e, at, FIELD(Phdr, p_type)) == PT_LOAD && address >= start &&
		    address - start < value_of(e, at, FIELD(Phdr, p_filesz)))
			return value_of(e, at, FIELD(Phdr, p_offset)) + (address - start);
	}
	return e->size;
}

/* Returns the file offset of the first segment of this type, or the file's size if it is missing.
 */
static uint64_t segment(const struct elf *e, uint32_t type)
{
	for (uint64_t i = 0; i < header_count(e); i++)
		if (value_of(e, header_at(e, i), FIELD(Phdr, p_type)) == type)
			return value_of(e, header_at(e, i), FIELD(Phdr, p_offset));
	return e->size;
}

struct dynamic {
	uint64_t at, entry; /* offset of the table, and size of an entry in bytes */
	uint64_t strings;
};

/* Returns the value of entry I and sets TAG, to DT_NULL after the last entry. */
static uint64_t dynamic_value(const struct elf *e, const struct dynamic *d, uint64_t i,
			      uint64_t *tag)
{
	uint64_t at = d->at + i * d->entry;

	*tag = at < e->size && i < ENTRIES_MOST ? value_of(e, at, FIELD(Dyn, d_tag)) : DT_NULL;
	return value_of(e, at, FIELD(Dyn, d_un));
}

static uint64_t find_dynamic(const struct elf *e, const struct dynamic *d, uint64_t wanted)
{
	uint64_t tag, value;

	for (uint64_t i = 0; value = dynamic_value(e, d, i, &tag), tag != DT_NULL; i++)
		if (tag == wanted)
			return value;
	return 0;
}

/* Elf32 and Elf64 entries have the same layout here. */
static void visit_versions(const struct elf *e, const struct dynamic *d, elf_visitor *visit,
			   void *context)
{
	uint64_t at = place_of(e, find_dynamic(e, d, DT_VERNEED)), next = 1, more;
	unsigned int seen = 0;

	for (; next && at < e->size && seen < ENTRIES_MOST; at += next, seen++) {
		const char *library =
			elf_string(e, d->strings + value_of(e, at, FIELD(Verneed, vn_file)));
		uint64_t version = at + value_of(e, at, FIELD(Verneed, vn_aux));

		for (more = 1; more && version < e->size && seen < ENTRIES_MOST; seen++) {
			const char *name = elf_string(
				e, d->strings + value_of(e, version, FIELD(Vernaux, vna_name)));

			if (library && name)
				visit(library, name, context);
			more = value_of(e, version, FIELD(Vernaux, vna_next));
			version += more;
		}
		next = value_of(e, at, FIELD(Verneed, vn_next));
	}
}

static void visit_libraries(const struct elf *e, const struct dynamic *d, elf_visitor *visit,
			    void *context)
{
	uint64_t tag, value;

	for (uint64_t i = 0; value = dynamic_value(e, d, i, &tag), tag != DT_NULL; i++) {
		const char *name = tag == DT_NEEDED ? elf_string(e, d->strings + value) : NULL;

		if (name)
			visit(name, NULL, context);
	}
}

static void read_dynamic(const struct elf *e, struct elf_program *program, elf_visitor *visit,
			 void *context)
{
	struct dynamic d = { .at = segment(e, PT_DYNAMIC),
			     .entry = e->wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn) };
	uint64_t path;

	d.strings = place_of(e, find_dynamic(e, &d, DT_STRTAB));
	path = find_dynamic(e, &d, DT_RUNPATH);
	if (!path)
		path = find_dynamic(e, &d, DT_RPATH);
	if (path)
		program->path = elf_string(e, d.strings + path);
	if (!visit)
		return;
	visit_libraries(e, &d, visit, context);
	visit_versions(e, &d, visit, context);
}

struct elf_program elf_read(const void *data, size_t size, elf_visitor *visit, void *context)
{
	struct elf e = { .data = data, .size = size };
	struct elf_program program = { 0 };

	if (size < EI_NIDENT || memcmp(data, ELFMAG, SELFMAG) != 0)
		return program;
	e.wide = e.data[EI_CLASS] == ELFCLASS64;
	e.big = e.data[EI_DATA] == ELFDATA2MSB;
	program.loader = elf_string(&e, segment(&e, PT_INTERP));
	if (program.loader)
		read_dynamic(&e, &program, visit, context);
	return program;
}
