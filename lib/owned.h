/* Who can change a file. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* Whether FD is open on a file of TYPE (S_IFREG and so on) that belongs to OWNER and that nobody
 * else can write to. */
static inline bool owned_by(int fd, mode_t type, uid_t owner)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
	       st.st_uid == owner && !(st.st_mode & (S_IWGRP | S_IWOTH));
}
