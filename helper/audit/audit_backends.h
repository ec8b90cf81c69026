/* The backends of the audit log: where records go. They are opened before the helper gives anything
 * up, and only written to after that. In the file, a record is a line of JSON that ends with
 * "hash", the SHA-256 of all of the line before that key; "prev" is the hash of the record before
 * it. Formats: systemd's native journal protocol, RFC 3164 as /dev/log takes it. */
#pragma once

#include "helper/audit/audit_log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"

struct backend {
	const char *name;
	/* A descriptor, or -1: with ERR set, or not wanted. GIVEN is as for audit_open(). */
	int (*open)(const struct session *session, int given, struct error **err);
	/* 0, or -1 with errno set. */
	int (*write)(struct audit *a, int fd, struct audit_entry *e);
};

extern const struct backend audit_backends[AUDIT_BACKENDS];

/* The socket PATH for datagrams, or -1 with errno set. */
int audit_connect(const char *path);

/* Chains E to the last record of A. */
void entry_chain(const struct audit *a, struct audit_entry *e);
