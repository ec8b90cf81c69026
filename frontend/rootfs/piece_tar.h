/* Reads the archive of a tree that rootlet-helper makes for `rootlet publish`. Format: tar(5). */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "frontend/archive/archive_reader.h"
#include "lib/error.h"

/* Starts at the beginning of FD, which stays the caller's. NULL with ERR set. */
struct archive *piece_tar_open(int fd, struct error **err);

/* Returns 1 with *ENTRY set, 0 at the end, or -1 with ERR set. */
int piece_tar_next(struct archive *tar, struct archive_entry **entry, struct error **err);

/* The path relative to the tree's root, "" for the root; NULL if the entry has none. */
const char *piece_tar_path(struct archive_entry *entry);

/* Sets ERR_INPUT, with libarchive's reason. */
int piece_tar_malformed(struct archive *tar, struct error **err);
