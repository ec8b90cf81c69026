/* Remembers the newest release file that was accepted for each key. An older one is signed just as
 * well, but has packages with known vulnerabilities. The memory is a file of fixed-size lines. Each
 * entry has two of them, which are written in turn and synced, so that a crash at any moment leaves
 * one.
 *
 *   rootlet-release 1 CHECKSUM DATE SEEN KEY
 *
 * DATE is the file's date, SEEN the time when it was accepted, both in seconds since 1970. There
 * are at most RELEASE_MEMORY_ENTRIES; after that, the entry seen least recently is replaced. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

#define RELEASE_MEMORY_ENTRIES 1024
#define RELEASE_KEY_MAX 400 /* bytes of a key: printable ASCII */
#define RELEASE_DATE_SIZE 40

/* Compares DATE (seconds since 1970) with the newest that was accepted for KEY, and remembers it
 * unless it is older. FD is the memory, a regular file open for reading and writing; PATH names it
 * in messages. NOW is the current time. Concurrent callers wait for each other. Returns 0 if DATE
 * is as new or newer, 1 with *NEWEST set if it is older, or -1 with ERR set: ERR_HOST if the memory
 * is damaged (it is never reset automatically), ERR_BUSY if another process holds its lock. */
int release_memory_take(int fd, const char *path, const char *key, int64_t date, int64_t now,
			int64_t *newest, struct error **err);

/* ERR_TRUST: the release file of NAME is from DATE, but one from NEWEST was accepted before. REMEDY
 * says what to do besides trying again. */
int release_memory_refuse(const char *name, int64_t date, int64_t newest, const char *remedy,
			  struct error **err);

#define RELEASE_REMEDY                                                                             \
	"name another mirror with --mirror URL, or accept it with --allow-older-release"

/* "Sat, 11 Jul 2026 10:16:37 UTC" */
const char *release_memory_date(int64_t date, char out[static RELEASE_DATE_SIZE]);
