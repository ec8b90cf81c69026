#include "frontend/fstests/elf_functions.h"

#include <elf.h>
#include <string.h>

/* Each takes milliseconds, and a trace may name any function. */
#define SEARCHES_MOST 1000

struct elf_symbols {
	const uint8_t *data;
	size_t size;
	Elf64_Ehdr head;
	Elf64_Shdr table, names, section_names;
	size_t count;
	size_t searches; /* for the ends of symbols that have another size than asked for */
};

/* Copies LENGTH bytes at offset AT, which need not be aligned. */
static bool elf_copy(const struct elf_symbols *s, uint64_t at, void *out, size_t length)
{
	if (at > s->size || s->size - at < length)
		return false;
	memcpy(out, s->data + at, length);
	return true;
}

static bool elf_section(const struct elf_symbols *s, uint64_t i, Elf64_Shdr *out)
{
	return i < s->head.e_shnum && s->head.e_shoff <= s->size &&
	       elf_copy(s, s->head.e_shoff + i * sizeof(*out), out, sizeof(*out));
}

/* The string at INDEX of a section of strings, or NULL. */
static const char *elf_name(const struct elf_symbols *s, const Elf64_Shdr *names, uint64_t index)
{
	const char *start;

	if (names->sh_offset > s->size || names->sh_size > s->size - names->sh_offset ||
	    index >= names->sh_size)
		return NULL;
	start = (const char *)s->data + names->sh_offset + index;
	return memchr(start, '\0', names->sh_size - index) ? start : NULL;
}

static bool elf_open(struct elf_symbols *s, const void *data, size_t size)
{
	*s = (struct elf_symbols){ .data = data, .size = size };
	if (!elf_copy(s, 0, &s->head, sizeof(s->head)) ||
	    memcmp(s->head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    s->head.e_ident[EI_CLASS] != ELFCLASS64 || s->head.e_ident[EI_DATA] != ELFDATA2LSB ||
	    s->head.e_shentsize != sizeof(Elf64_Shdr) ||
	    !elf_section(s, s->head.e_shstrndx, &s->section_names))
		return false;
	for (uint64_t i = 0; i < s->head.e_shnum; i++)
		if (elf_section(s, i, &s->table) && s->table.sh_type == SHT_SYMTAB) {
			if (s->table.sh_offset > size ||
			    s->table.sh_size > size - s->table.sh_offset)
				return false;
			s->count = s->table.sh_size / sizeof(Elf64_Sym);
			return elf_section(s, s->table.sh_link, &s->names);
		}
	return false;
}

/* Returns the name of symbol I if it is a place in a section, else NULL. Compilers and assemblers
 * mark data in code by names that begin with '$' or '.', which kallsyms ignores. */
static const char *elf_symbol(const struct elf_symbols *s, size_t i, Elf64_Sym *symbol)
{
	const char *name;
	unsigned int type;

	if (!elf_copy(s, s->table.sh_offset + i * sizeof(*symbol), symbol, sizeof(*symbol)))
		return NULL;
	type = ELF64_ST_TYPE(symbol->st_info);
	if ((type != STT_FUNC && type != STT_NOTYPE) || symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_shndx >= SHN_LORESERVE)
		return NULL;
	name = elf_name(s, &s->names, symbol->st_name);
	return name && *name && *name != '$' && *name != '.' ? name : NULL;
}

/* The distance to the next symbol in the same section. */
static uint64_t elf_room(struct elf_symbols *s, const Elf64_Sym *symbol)
{
	uint64_t room = UINT64_MAX;

	if (s->searches++ >= SEARCHES_MOST)
		return 0;
	for (size_t i = 0; i < s->count; i++) {
		Elf64_Sym other;

		if (elf_symbol(s, i, &other) && other.st_shndx == symbol->st_shndx &&
		    other.st_value > symbol->st_value && other.st_value - symbol->st_value < room)
			room = other.st_value - symbol->st_value;
	}
	return room;
}

static void elf_function_take(struct elf_symbols *s, const Elf64_Sym *symbol,
			      struct elf_function *f)
{
	Elf64_Shdr section;

	if ((symbol->st_size != f->size && elf_room(s, symbol) != f->size) ||
	    !elf_section(s, symbol->st_shndx, &section))
		return;
	f->section = elf_name(s, &s->section_names, section.sh_name);
	f->address = symbol->st_value;
}

void elf_functions_find(const void *data, size_t size, struct elf_function *functions, size_t count)
{
	struct elf_symbols s;

	for (size_t i = 0; i < count; i++)
		functions[i].section = NULL;
	if (!elf_open(&s, data, size))
		return;
	for (size_t i = 0; i < s.count; i++) {
		Elf64_Sym symbol;
		const char *name = elf_symbol(&s, i, &symbol);

		for (size_t k = 0; k < count && name; k++)
			if (!functions[k].section && strcmp(functions[k].name, name) == 0)
				elf_function_take(&s, &symbol, &functions[k]);
	}
}

bool elf_is_relocatable(const void *data, size_t size)
{
	struct elf_symbols s;

	return elf_open(&s, data, size) && s.head.e_type == ET_REL;
}
