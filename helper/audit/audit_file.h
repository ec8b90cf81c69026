/* The audit log's file. A record is a line of JSON that ends with "hash", the SHA-256 of the whole
 * line before that key; "prev" is the hash of the previous record. */
#pragma once

#include "helper/audit/audit_log.h"

/* Opens the policy's file or, in user mode and if the policy names none, takes GIVEN, as for
 * audit_open(). Returns its descriptor, or -1 with ERR_HOST. */
int audit_file_open(const struct session *session, int given, struct error **err);

/* Appends E and gives it its place in the chain. Returns 0, or -1 with errno set and no place. */
int audit_file_write(struct audit *a, struct audit_entry *e);
