/* frontend/vm/kernel_payload.c, frontend/vm/kernel.c: the kernel inside a bzImage, whether a
 * hypervisor can start it, when it does, and that a damaged one causes no reads outside its file.
 */
#include "frontend/vm/kernel_payload.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/vm/kernel.h"
#include "scratch.h"
#include "tap.h"

#define NOTES_AT 0x100
#define PAYLOAD_AT 1024
#define SIZE 512

struct note_file {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	uint8_t space[NOTES_AT - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
	struct {
		Elf64_Nhdr note;
		char name[8]; /* "Linux", padded */
		uint32_t value;
	} first;
	struct {
		Elf64_Nhdr note;
		char name[4];
		uint32_t value;
	} second;
	uint8_t rest[SIZE - NOTES_AT - 24 - 20];
};
_Static_assert(sizeof(struct note_file) == SIZE, "no padding");

static char dir[SCRATCH_SIZE];
static struct note_file file;

static void make_file(void)
{
	file = (struct note_file){
		.header = { .e_machine = EM_X86_64,
			    .e_phoff = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.segments = { { .p_type = PT_LOAD },
			      { .p_type = PT_NOTE,
				.p_offset = NOTES_AT,
				.p_filesz = sizeof(file.first) + sizeof(file.second) } },
		.first = { { 6, 4, 1 }, "Linux", 0 },
		.second = { { 4, 4, 18 }, "Xen", 0x1000000 },
	};
	memcpy(file.header.e_ident, ELFMAG, SELFMAG);
	file.header.e_ident[EI_CLASS] = ELFCLASS64;
	file.header.e_ident[EI_DATA] = ELFDATA2LSB;
}

/* In a buffer of exactly SIZE bytes, so that a sanitizer sees reads outside it. */
static bool has_pvh(size_t size)
{
	char *copy = malloc(size ? size : 1);
	bool found;

	memcpy(copy, &file, size);
	found = kernel_payload_has_pvh(copy, size);
	free(copy);
	return found;
}

/* What is wrong with a file, and the field that has VALUE then. */
#define FIELD(path, value) offsetof(struct note_file, path), sizeof(file.path), (value)
static const struct damage {
	const char *what;
	size_t at, size;
	uint64_t value;
} damages[] = {
	{ "of 32 bits", FIELD(header.e_ident[EI_CLASS], ELFCLASS32) },
	{ "with big-endian numbers", FIELD(header.e_ident[EI_DATA], ELFDATA2MSB) },
	{ "without ELF's magic", FIELD(header.e_ident[1], 'e') },
	{ "for another machine", FIELD(header.e_machine, EM_386) },
	{ "with entries of another size", FIELD(header.e_phentsize, sizeof(Elf32_Phdr)) },
	{ "whose segments begin beyond its end", FIELD(header.e_phoff, UINT64_MAX - 8) },
	{ "whose segments end beyond its end", FIELD(header.e_phoff, SIZE - sizeof(Elf64_Phdr)) },
	{ "without segments", FIELD(header.e_phnum, 0) },
	{ "without a segment of notes", FIELD(segments[1].p_type, PT_LOAD) },
	{ "whose notes begin beyond its end", FIELD(segments[1].p_offset, UINT64_MAX - 16) },
	{ "whose notes end beyond its end", FIELD(segments[1].p_filesz, UINT64_MAX - 16) },
	{ "whose note is cut off", FIELD(segments[1].p_filesz, 40) },
	{ "with an endless name in its notes", FIELD(first.note.n_namesz, UINT32_MAX) },
	{ "with an endless value in its notes", FIELD(first.note.n_descsz, UINT32_MAX - 2) },
	{ "with such a note of somebody else", FIELD(second.name[2], 'm') },
	{ "with another note of Xen's", FIELD(second.note.n_type, 17) },
};

#define DAMAGES (sizeof(damages) / sizeof(*damages))

static void damage(const struct damage *d)
{
	make_file();
	memcpy((char *)&file + d->at, &d->value, d->size);
}

static void check_files(void)
{
	make_file();
	tap_check(has_pvh(SIZE), "a kernel with the note has the entry point");
	for (size_t i = 0; i < DAMAGES; i++) {
		damage(&damages[i]);
		tap_check(!has_pvh(SIZE), "a kernel %s has no entry point", damages[i].what);
	}
	make_file();
	for (size_t size = 0; size < offsetof(struct note_file, rest); size++)
		if (has_pvh(size))
			tap_check(false, "%zu bytes of a kernel have no entry point", size);
}

/* Writes a bzImage with FILE, not compressed, in it, of which it says that it has STATED bytes. */
static char *write_image(const char *name, const char *version, unsigned stated)
{
	static uint8_t image[4096];
	char *path = NULL;
	int fd;

	memset(image, 0, sizeof(image));
	image[0x1f1] = 1;
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x24c] = 4;
	image[0x24c + 1] = SIZE >> 8;
	memcpy(image + PAYLOAD_AT, &file, SIZE);
	image[0x20f] = 1; /* the version is at 0x300 */
	memcpy(image + 0x300, version, strlen(version));
	image[PAYLOAD_AT + SIZE + 1] = (uint8_t)(stated >> 8);
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	tap_check(fd >= 0 && write(fd, image, sizeof(image)) == sizeof(image), "write %s", name);
	close(fd);
	return path;
}

static void check_choice(const char *path, const char *boot, bool kvm, const char *expected)
{
	_cleanup_error_ struct error *err = NULL;
	_cleanup_(kernel_free) struct kernel *k = NULL;
	struct note_file content = { 0 };

	if (kernel_open(path, &k, &err) < 0 || kernel_choose_boot(k, boot, kvm, &err) < 0) {
		tap_check(expected && err->code == ERR_INPUT && strstr(err->message, expected),
			  "--boot %s is refused: %s", boot, error_text(err));
		return;
	}
	tap_check(strcmp(kernel_boot_name(k), expected) == 0, "--boot %s %s KVM boots the %s", boot,
		  kvm ? "with" : "without", expected);
	if (k->elf >= 0)
		tap_check(pread(k->elf, &content, SIZE, 0) == SIZE &&
				  memcmp(&content, &file, SIZE) == 0 &&
				  pwrite(k->elf, "x", 1, 0) < 0,
			  "the VM gets what is in the bzImage, and nobody can change it");
}

static void check_choices(void)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *other = NULL;
	_cleanup_free_ char *damaged = NULL;
	_cleanup_free_ char *old = NULL;

	make_file();
	path = write_image("bzImage", "5.0.0-1", SIZE);
	check_choice(path, "auto", false, "elf");
	check_choice(path, "auto", true, "bzimage");
	check_choice(path, NULL, false, "elf");
	check_choice(path, "bzimage", false, "bzimage");
	check_choice(path, "elf", true, "elf");
	damage(&damages[DAMAGES - 1]);
	other = write_image("other", "6.1.0", SIZE);
	check_choice(other, "auto", false, "bzimage");
	check_choice(other, "elf", false, "CONFIG_PVH");
	make_file();
	old = write_image("old", "4.19.0", SIZE);
	check_choice(old, "auto", false, "bzimage");
	check_choice(old, "elf", false, "Linux 5.0 or newer");
	damaged = write_image("damaged", "6.1.0", 2 * SIZE);
	check_choice(damaged, "auto", false, "bzimage");
	check_choice(damaged, "elf", false, "damaged");
}

static void check_images(void)
{
	static const char *const rows[] = { "/dev/null", "/nonexistent", "/proc/self/stat" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_error_ struct error *err = NULL;

		tap_check(kernel_payload_open(rows[i], &err) < 0 && err &&
				  strstr(err->message, rows[i]),
			  "%s is no bzImage: %s", rows[i], error_text(err));
	}
}

int main(void)
{
	if (!scratch_make(dir))
		return 1;
	check_files();
	check_choices();
	check_images();
	scratch_remove(dir);
	return tap_done();
}
