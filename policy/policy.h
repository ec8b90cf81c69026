/* /etc/rootlet/policy.conf: who may do what, written by root, enforced by the helper. The keys,
 * with what each means and its default, are in policy.conf.example; here is their table. A caller
 * is under the first [allow …] section that names him, and under no other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/error.h"

#define POLICY_PATH "/etc/rootlet/policy.conf"
#define POLICY_RANGE 65535u /* ids of one caller's range */
#define POLICY_SLOT 65536u  /* ids from one range's start to the next */
/* Where root's range begins that has none of its own (helper/idmap.c): nobody else's. */
#define POLICY_ROOT_FIRST 1878982656u
#define POLICY_NONE UINT64_MAX /* a limit that does not limit */

struct policy_rule {
	char *name;
	unsigned line;
	char **users, **groups, **operations, **folders, **releases, **mirrors, **keyrings;
	char **denied_packages, **engines, **tree_modes;
	bool older_releases;
	uint64_t size_max, count_max, seconds_max, memory_max, processes_max;
};

struct policy_range {
	char *user;
	uint32_t first;
	unsigned line;
};

struct policy {
	const char *path; /* for messages; NULL: there is no file, and all is allowed */
	struct policy_rule *rules;
	size_t rule_count;

	/* [ids] */
	uint32_t first, uid_from, uid_to;
	unsigned ids_line;
	struct policy_range *ranges;
	size_t range_count;

	/* [audit] */
	bool required, journal, syslog;
	char *file;
};

/* Parses TEXT. ERR_INPUT names PATH (which stays the caller's) and the line. */
int policy_parse(const char *path, const char *text, struct policy **out, struct error **err);

/* Loads POLICY_PATH. Without a file: *OUT is NULL where REQUIRED is false, else ERR_REFUSED.
 * ERR_HOST where the file or its folder is not root's alone to write. */
int policy_load(const char *path, bool required, struct policy **out, struct error **err);

/* What holds where there is no file: everybody may do everything. */
struct policy *policy_open_to_all(void);
void policy_free(struct policy **policy);

/* Each key with its section and its default, as it would stand in the file, for the example, the
 * tests and `rootlet policy show`. NULL after the last. */
const char *policy_key(size_t number, const char **section, const char **preset);

/* The key's value in RULE as it would stand in the file; the caller's to free. NULL for a key of
 * another section than [allow …]. */
char *policy_rule_value(const struct policy_rule *rule, size_t number);

/* What RULE says of what a rootfs may be made of, as text: what was made under it may be used under
 * another one that has the same. The caller's to free; NULL where memory is short. */
char *policy_rule_content(const struct policy_rule *rule);
