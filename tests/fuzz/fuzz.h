/* Common code of the fuzz targets: libFuzzer calls LLVMFuzzerTestOneInput for each input. Seeds are
 * in seeds/NAME/, including inputs that once crashed a target. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/write_all.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns DATA as a separate string, so that reads past its end are noticed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Returns a descriptor of the directory $FUZZ_ROOM, a private tmpfs of this process. */
static inline int fuzz_dir(void)
{
	static int fd = -1;
	const char *room = getenv("FUZZ_ROOM");

	if (fd < 0 && (!room || (fd = open(room, O_RDONLY | O_DIRECTORY)) < 0))
		abort();
	return fd;
}

/* Checks that the directory has nothing but "tree" and hidden files. */
static inline void fuzz_check_outside(void)
{
	DIR *d = opendir(getenv("FUZZ_ROOM"));
	const struct dirent *entry;

	if (!d)
		abort();
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "tree") != 0)
			abort();
	closedir(d);
}

/* Returns an unnamed file with DATA, which the caller closes. */
static inline int fuzz_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, size) < 0)
		abort();
	return fd;
}
