/* /etc/rootlet/policy.conf: who may do what, written by root and enforced by the helper.
 * policy.conf.example explains the keys and their defaults; the table is here. The first [allow …]
 * section that names a caller applies to them, and no other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "lib/error.h"
#include "lib/names.h"

#define POLICY_PATH "/etc/rootlet/policy.conf"
#define POLICY_RANGE 65535u    /* ids in one caller's range */
#define POLICY_SLOT 65536u     /* distance between the starts of two ranges */
#define POLICY_NONE UINT64_MAX /* no limit */

/* Words are in one piece of memory, one after the other, each with its NUL. An empty word ends
 * them. */
struct policy_rule {
	struct policy_rule *next;
	char name[ROOTFS_NAME_MAX + 1];
	unsigned line;
	char *users, *groups, *operations, *dirs, *releases, *mirrors, *keyrings;
	char *repository_keyrings, *denied_packages, *engines, *tree_modes;
	bool older_releases;
	uint64_t size_max, count_max, seconds_max, memory_max, processes_max;
};

struct policy_range {
	struct policy_range *next;
	char user[ACCOUNT_NAME_MAX + 1];
	uint64_t first, count;
};

struct policy {
	const char *path; /* for messages; NULL: no file exists, and everything is allowed */
	struct policy_rule *rules;

	/* [ids] */
	uint64_t first;
	uint32_t uid_from, uid_to;
	struct policy_range *ranges;

	/* [audit] */
	bool required, journal, syslog;
	char *file;
};

enum policy_kind {
	POLICY_WORDS,
	POLICY_PATHS,  /* words, in which root's links are resolved */
	POLICY_FILE,   /* a single word, which may contain blanks */
	POLICY_NUMBER, /* 1 to UINT32_MAX, or "none" */
	POLICY_SIZE,   /* the same with a suffix, such as 512M or 2G */
	POLICY_ID,     /* the first id of a range */
	POLICY_UIDS,
	POLICY_SWITCH,
};

/* A key of the file. The default is written as it would be in the file. */
struct policy_key {
	const char *section, *name, *preset;
	size_t offset; /* in struct policy_rule for a key of [allow …], else in struct policy */
	bool (*valid)(const char *word); /* NULL: all are */
	const char *what;		 /* what its value, or a word of it, is, for messages */
	enum policy_kind kind;
	const char *also; /* a word that is valid as well, or NULL */
};

/* The word after WORD. */
static inline const char *policy_next_word(const char *word)
{
	return word + strlen(word) + 1;
}

extern const struct policy_key policy_keys[];
extern const size_t policy_key_count;

/* Parses TEXT. Must be called where root is uid 0 (policy/canonical.h). ERR_INPUT names PATH, which
 * must outlive *OUT, and the line. *OUT is the caller's to free, even after an error: the helper
 * keeps it until it exits, others call policy_free(). */
int policy_parse(const char *path, const char *text, struct policy **out, struct error **err);

/* Loads POLICY_PATH. If there is no such file: ERR_REFUSED if REQUIRED, else a policy without a
 * path, by which everybody may do everything. ERR_HOST if anyone but root can write to the file or
 * its directory. */
int policy_load(const char *path, bool required, struct policy **out, struct error **err);
