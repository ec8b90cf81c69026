#include "frontend/vm/kernel_payload.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "frontend/archive/decompress.h"
#include "lib/cleanup.h"
#include "lib/error_wrap.h"
#include "lib/write_all.h"

#define KERNEL_MOST ((size_t)512 << 20) /* decompressed */

/* The note's name and type. Source: Linux include/xen/interface/elfnote.h. */
#define PVH_NOTE_NAME "Xen"
#define PVH_NOTE_TYPE 18

static uint32_t little_endian(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool is_gzip(const uint8_t *data)
{
	return data[0] == 0x1f && data[1] == 0x8b;
}

int kernel_part(const void *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("part", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return steal_fd(&fd);
}

/* The compressed kernel starts payload_offset bytes after the real-mode part. Its last four bytes
 * are the kernel's size: in gzip's format they belong to the compressed data, otherwise they follow
 * it, and libarchive would take them for damage. */
static int payload_of(const uint8_t *image, size_t size, struct error **err)
{
	_cleanup_close_ int part = -1;
	_cleanup_close_ int kernel = -1;
	uint64_t start, length;
	uint32_t expected;
	struct stat st;

	if (size < 0x250 || memcmp(image + 0x202, "HdrS", 4) != 0)
		return error_set(err, ERR_INPUT, "not a bzImage");
	start = (image[0x1f1] ? image[0x1f1] + 1u : 5u) * 512u +
		(uint64_t)little_endian(image + 0x248);
	length = little_endian(image + 0x24c);
	if (length <= 4 || start + length > size)
		return error_set(err, ERR_INPUT, "not a whole bzImage");
	expected = little_endian(image + start + length - 4);
	part = kernel_part(image + start, is_gzip(image + start) ? length : length - 4);
	if (part < 0)
		return error_errno(err, ERR_SYSTEM, "cannot copy the compressed kernel");
	kernel = decompress_sealed(part, KERNEL_MOST, err);
	if (kernel < 0)
		return -1;
	if (fstat(kernel, &st) < 0 || st.st_size != expected)
		return error_set(err, ERR_INPUT, "the compressed kernel is damaged");
	return steal_fd(&kernel);
}

int kernel_payload_open(const char *path, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *image;
	int kernel;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_INPUT, "cannot read the kernel %s", path);
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return error_errno(err, ERR_INPUT, "cannot read the kernel %s", path);
	kernel = payload_of(image, (size_t)st.st_size, err);
	munmap(image, (size_t)st.st_size);
	return kernel < 0 ? error_wrap(err, "kernel %s", path) : kernel;
}

/* Whether the SIZE bytes of notes at NOTES contain the entry point. */
static bool notes_have_pvh(const char *notes, size_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, whole;

		memcpy(&note, notes, sizeof(note));
		name = ((uint64_t)note.n_namesz + 3) & ~UINT64_C(3);
		whole = sizeof(note) + name + (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
		if (whole > size)
			return false;
		if (note.n_type == PVH_NOTE_TYPE && note.n_namesz == sizeof(PVH_NOTE_NAME) &&
		    memcmp(notes + sizeof(note), PVH_NOTE_NAME, sizeof(PVH_NOTE_NAME)) == 0)
			return true;
		notes += whole;
		size -= whole;
	}
	return false;
}

bool kernel_payload_has_pvh(const char *kernel, size_t size)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, kernel, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (size_t i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		if (header.e_phoff > size || (size - header.e_phoff) / sizeof(segment) <= i)
			return false;
		memcpy(&segment, kernel + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type == PT_NOTE && segment.p_offset <= size &&
		    segment.p_filesz <= size - segment.p_offset &&
		    notes_have_pvh(kernel + segment.p_offset, segment.p_filesz))
			return true;
	}
	return false;
}
