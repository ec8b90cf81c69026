/* Folders of the user's own. */
#pragma once

/* Makes PATH (absolute) and what is missing above it, 0700; what is there keeps its mode. Returns 0
 * or -1 with errno set. */
int folder_make(const char *path);

/* The same for the folders above PATH alone. */
int folder_make_above(const char *path);

/* Removes NAME in PARENT, with all below it where it is a folder; a link goes, what it leads to
 * stays. Returns 0 or -1 with errno set. */
int folder_remove(int parent, const char *name);

/* Renames the directory STAGING to NAME in one step; if there is a NAME, the two are exchanged. All
 * of it is on disk before it has the name, and the name before this returns. Returns 0 or -1 with
 * errno set. */
int folder_publish(int parent, const char *staging, const char *name);

/* Replaces NAME in FOLDER by the file DRAFT, which is open as FD. After a power cut NAME is the old
 * file or the new one, and complete. Returns 0 or -1 with errno set. */
int folder_replace_file(int folder, const char *draft, int fd, const char *name);

/* As folder_remove(), but what somebody holds a lock of stays, with errno EWOULDBLOCK. */
int folder_discard(int parent, const char *name);
