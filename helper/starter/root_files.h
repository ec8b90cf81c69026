/* Files that the helper keeps for itself, or is given by the caller. In installed mode its own
 * files are root's, and are opened before it gives up its rights. */
#pragma once

#include "helper/starter/session.h"

#define SNAPSHOT_KEY_PATH "/etc/rootlet/snapshot.key" /* of policy/install-helper */
#define SNAPSHOT_KEY_BYTES 32

/* Returns FD if it is a regular file that belongs to OWNER and that nobody else can write, and is
 * open with those of FLAGS that are in O_ACCMODE and O_APPEND; it is close-on-exec then. Otherwise
 * closes it and returns -1 with errno set. */
int file_check(int fd, uid_t owner, int flags);

/* Like open(2), but only for what file_check() accepts as root's. In installed mode it has the ids
 * of root during the call, for file access only, which CAP_SETUID and CAP_SETGID allow. Creates
 * files with mode 0600. */
int root_file_open(const struct session *session, const char *path, int flags);

/* Opens the memory of release dates (release_dates.h): in installed mode, root's file for this
 * caller; otherwise takes over GIVEN (or -1), which must be the caller's own. A failure shows in
 * rollback_check(). */
void rollback_open(struct session *session, int given);

/* The host's key for snapshots, which callers cannot read. -1 if it is missing, if others than root
 * could have read it, or in a mode other than installed. */
int snapshot_key_open(const struct session *session);

/* Opens rootlet-worker, which lies beside this program: *PROGRAM can only be executed. Returns 0,
 * or -1 with ERR_HOST: in installed mode also if anyone but root could replace the program. */
int worker_open(const struct session *session, int *program, struct error **err);
