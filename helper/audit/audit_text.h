/* Formats a record of the audit log as text for each backend: printable ASCII only. */
#pragma once

#include "helper/audit/audit_log.h"

#define AUDIT_TEXT_MAX 8192

struct audit_text {
	char bytes[AUDIT_TEXT_MAX];
	size_t length;
	bool journal; /* write fields in the journal's format; else in JSON */
};

/* A line of JSON. Its hash is stored in E's place. */
void audit_text_line(struct audit_text *t, struct audit_entry *e);

void audit_text_journal(struct audit_text *t, const struct audit_entry *e);
void audit_text_syslog(struct audit_text *t, const struct audit_entry *e);
