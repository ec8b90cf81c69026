/* What every fuzz target includes: libFuzzer calls LLVMFuzzerTestOneInput with one input after
 * another. Seeds are in seeds/NAME/; what once crashed a target is among them. */
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

/* DATA as a string of its own, so that a read past its end is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* An open descriptor of the directory $FUZZ_ROOM: a mount of this process alone, in memory. */
static inline int fuzz_folder(void)
{
	static int fd = -1;
	const char *room = getenv("FUZZ_ROOM");

	if (fd < 0 && (!room || (fd = open(room, O_RDONLY | O_DIRECTORY)) < 0))
		abort();
	return fd;
}

/* Nothing has come to lie in that folder beside "tree" and what is hidden. */
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

/* DATA in a file without a name; the caller's to close. */
static inline int fuzz_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write_all(fd, data, size) < 0)
		abort();
	return fd;
}
