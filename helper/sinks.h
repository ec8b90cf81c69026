/* Where records go. A sink is opened before the helper gives anything up, and only written to after
 * that. Formats: systemd's native journal protocol, RFC 3164 as /dev/log takes it. */
#pragma once

#include "helper/audit.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"

/* open(2), in installed mode alone, with the ids of root for file access, which CAP_SETUID and
 * CAP_SETGID allow, for the time of the call. What it creates is of mode 0600. */
int sink_open_as_root(const char *path, int flags);

/* Opens root's file for appending; in installed mode with root's id for the time of that call. -1
 * with ERR set where it is not root's alone. */
int sink_open_file(const char *path, const struct session *s, struct error **err);

/* FD where it is a regular file of UID's that is open for appending; else it is closed, and -1. */
int sink_check_own(int fd, uid_t uid);

int sink_connect(const char *path);

/* PLACE is that of the record's line in the file; without a file, among those of this helper. NULL
 * where it has none. */
int sink_journal(int fd, const struct session *s, const struct record *r, const char *kind,
		 const struct place *place);
int sink_syslog(int fd, const struct session *s, const struct record *r, const char *kind,
		const struct place *place);
