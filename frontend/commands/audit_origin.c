#include "frontend/commands/audit_origin.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "frontend/commands/audit_lines.h"
#include "frontend/rootfs/manifest_fields.h"
#include "policy/policy_text.h"

#define RECORD_SECONDS "%Y-%m-%dT%H:%M:%S" /* then a fraction */

struct origin_search {
	const struct manifest *manifest;
	char *parent, *name; /* "folder=PARENT ", " name=NAME " */
	/* The helper that last began to build the rootfs, and when. */
	json_int_t helper;
	int64_t began;
	char *hash; /* 64 digits, or "" */
};

static int64_t record_time(const json_t *record)
{
	struct tm tm = { 0 };

	return strptime(audit_text(record, "time"), RECORD_SECONDS, &tm) ? timegm(&tm) : 0;
}

/* A build begins with Begin, Clone or Extend, and a change of a rootfs with Change. */
static bool begins_build(const struct origin_search *s, const char *request)
{
	if (s->manifest->changed)
		return strcmp(request, "Change") == 0;
	return strcmp(request, "Begin") == 0 || strcmp(request, "Clone") == 0 ||
	       strcmp(request, "Extend") == 0;
}

/* Whether the request is about the rootfs: "folder=/home/me/.kerneldev-mcp name=x suite=jammy". */
static bool names_rootfs(const struct origin_search *s, const char *arguments)
{
	_cleanup_free_ char *padded = NULL;

	if (asprintf(&padded, "%s ", arguments) < 0) {
		padded = NULL;
		return false;
	}
	return strncmp(padded, s->parent, strlen(s->parent)) == 0 && strstr(padded, s->name);
}

/* The manifest is written between the two requests. A rootfs made from a lock has the lock's date.
 */
static bool fits_time(const struct origin_search *s, int64_t ended)
{
	const struct manifest *m = s->manifest;
	int64_t written = m->changed ? m->changed : m->created;

	return (!m->count && !m->changed) || (s->began <= written && written <= ended);
}

static void origin_take(const char *line, size_t length, void *context)
{
	struct origin_search *s = context;
	_cleanup_(json_free) json_t *record = json_loadb(line, length, 0, NULL);
	const char *request = audit_text(record, "request");
	json_int_t helper = json_integer_value(json_object_get(record, "helper"));

	if (json_integer_value(json_object_get(record, "uid")) != (json_int_t)getuid())
		return;
	if (begins_build(s, request) && strcmp(audit_text(record, "kind"), "intent") == 0 &&
	    names_rootfs(s, audit_text(record, "arguments"))) {
		s->helper = helper;
		s->began = record_time(record);
	}
	if (helper == s->helper && strcmp(request, "Publish") == 0 &&
	    strcmp(audit_text(record, "result"), "none") == 0) {
		if (fits_time(s, record_time(record)) && valid_hash(audit_text(record, "hash")))
			memcpy(s->hash, audit_text(record, "hash"), 2 * SHA256_LEN + 1);
		s->helper = 0;
	}
}

bool audit_find_origin(const struct manifest *m, const char *path,
		       char hash[static 2 * SHA256_LEN + 1])
{
	_cleanup_(policy_free) struct policy *policy = NULL;
	_cleanup_free_ char *log = NULL, *parent = NULL, *name = NULL;
	const char *base = strrchr(path, '/');
	struct origin_search s = { .manifest = m, .hash = hash };

	hash[0] = '\0';
	if (policy_load(POLICY_PATH, false, &policy, NULL) < 0)
		policy_free(&policy);
	log = audit_find_log(policy, NULL);
	if (asprintf(&parent, "folder=%.*s ", (int)(base - path), path) < 0)
		parent = NULL;
	if (asprintf(&name, " name=%s ", base + 1) < 0)
		name = NULL;
	s.parent = parent;
	s.name = name;
	return log && parent && name && audit_each_line(log, origin_take, &s, NULL) == 0 && *hash;
}
