/* The backends of the audit log. They are opened before the helper gives anything up, and only
 * written to after that. In the file, a record is a line of JSON that ends with "hash", the SHA-256
 * of the whole line before that key; "prev" is the hash of the previous record. Formats: systemd's
 * native journal protocol, and RFC 3164 as /dev/log takes it. */
#pragma once

#include "helper/audit/audit_log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET "/dev/log"

struct backend {
	const char *name;
	/* Returns a descriptor, or -1: with ERR set on error, without if the policy does not want
	 * this backend. GIVEN is as for audit_open(). */
	int (*open)(const struct session *session, int given, struct error **err);
	/* 0, or -1 with errno set. */
	int (*write)(struct audit *a, int fd, struct audit_entry *e);
};

extern const struct backend audit_backends[AUDIT_BACKENDS];

/* Connects a datagram socket to PATH. Returns it, or -1 with errno set. */
int audit_connect(const char *path);

/* Chains E to A's last record. */
void entry_chain(const struct audit *a, struct audit_entry *e);
