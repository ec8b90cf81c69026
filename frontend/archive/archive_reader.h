/* Cleanup for libarchive readers. */
#pragma once

#include <archive.h>

static inline void archive_reader_free(struct archive **reader)
{
	if (*reader)
		archive_read_free(*reader);
}

#define _cleanup_archive_ _cleanup_(archive_reader_free)
