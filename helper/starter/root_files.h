/* Files that the helper keeps for itself or is given by the caller. Those of an installed helper
 * are root's, and are opened before it gives up its rights. */
#pragma once

#include "helper/starter/session.h"

#define SNAPSHOT_KEY_PATH "/etc/rootlet/snapshot.key" /* of policy/install-helper */
#define SNAPSHOT_KEY_BYTES 32

/* open(2), in installed mode with the ids of root for file access alone, which CAP_SETUID and
 * CAP_SETGID allow, for the time of the call. What it creates is of mode 0600. */
int root_file_open(const struct session *session, const char *path, int flags);

/* FD if it is a regular file of OWNER's that nobody else can write, and open with FLAGS of
 * O_ACCMODE and O_APPEND; it is close-on-exec then. Else it is closed, and -1. */
int file_check(int fd, uid_t owner, int flags);

/* Opens the memory of release dates (rollback.h): root's for the caller in installed mode; else
 * takes over GIVEN (or -1), which must be the caller's own. One that cannot be opened is no error
 * before rollback_check(). */
void rollback_open(struct session *session, int given);

/* The host's key for snapshots, which callers cannot read. -1 if there is none, or if others than
 * root could have read it, or in another mode than installed. */
int snapshot_key_open(const struct session *session);
