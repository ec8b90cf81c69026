#include "policy/policy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>

#include "lib/ini_text.h"
#include "lib/names.h"
#include "lib/read_all.h"
#include "policy/canonical.h"
#include "policy/operations.h"
#include "policy/subids.h"

#define BYTES_MAX (256 * 1024) /* of the file; this also bounds words, rules and ranges */

#ifndef __clang__
/* gcc's analyzer loses track of pointers that are stored at an offset from a table, as all values
 * here are. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static bool valid_word(const char *s)
{
	return *s != '\0';
}

static bool valid_release(const char *s)
{
	return strcmp(s, "*") == 0 || valid_archive_word(s);
}

static bool valid_group(const char *s)
{
	return valid_account_name(s) || s[strspn(s, "0123456789")] == '\0';
}

static bool valid_user(const char *s)
{
	return strcmp(s, "*") == 0 || valid_group(s);
}

static bool valid_file(const char *s)
{
	return s[0] == '/' && s[1] && !strstr(s, "//") && !strstr(s, "/./") && !strstr(s, "/../");
}

/* The directory is compared with the kernel's path, which contains neither dots nor links. */
static bool valid_folder(const char *s)
{
	const char *rest = s[0] == '~' ? s + 1 : s;
	size_t length = strlen(rest);

	if (strcmp(s, "*") == 0 || strcmp(s, "~") == 0)
		return true;
	return valid_file(rest) && rest[length - 1] != '/' && rest[length - 1] != '.';
}

static bool valid_keyring(const char *s)
{
	return strcmp(s, "*") == 0 || valid_file(s);
}

static bool valid_mirror_prefix(const char *s)
{
	return strcmp(s, "*") == 0 || strncmp(s, "http://", 7) == 0 ||
	       strncmp(s, "https://", 8) == 0 || strncmp(s, "file:///", 8) == 0;
}

static bool valid_mode(const char *s)
{
	return strcmp(s, "0700") == 0 || strcmp(s, "0755") == 0;
}

#define RULE(field) offsetof(struct policy_rule, field)
#define POLICY(field) offsetof(struct policy, field)

/* clang-format off */
const struct policy_key policy_keys[] = {
	{ "allow", "users", "", POLICY_WORDS, RULE(users), valid_user, "user name" },
	{ "allow", "groups", "", POLICY_WORDS, RULE(groups), valid_group, "group name" },
	{ "allow", "operations", "create check delete shell run", POLICY_WORDS, RULE(operations),
	  valid_operation, "operation" },
	{ "allow", "folders", "~", POLICY_PATHS, RULE(folders), valid_folder, "directory" },
	{ "allow", "releases", "*", POLICY_WORDS, RULE(releases), valid_release, "release" },
	{ "allow", "mirrors", "*", POLICY_WORDS, RULE(mirrors), valid_mirror_prefix, "mirror" },
	{ "allow", "keyrings", "/usr/share/keyrings/ubuntu-archive-keyring.gpg "
	  "/usr/share/keyrings/debian-archive-keyring.gpg", POLICY_PATHS, RULE(keyrings), valid_keyring,
	  "keyring path" },
	{ "allow", "deny-packages", "", POLICY_WORDS, RULE(denied_packages), valid_word, "package" },
	{ "allow", "engines", "debootstrap native", POLICY_WORDS, RULE(engines), valid_archive_word, "engine" },
	{ "allow", "tree-modes", "0700", POLICY_WORDS, RULE(tree_modes), valid_mode, "rootfs mode" },
	{ "allow", "older-releases", "no", POLICY_SWITCH, RULE(older_releases), NULL, NULL },
	{ "allow", "max-size", "16G", POLICY_SIZE, RULE(size_max), NULL, NULL },
	{ "allow", "max-count", "32", POLICY_LIMIT, RULE(count_max), NULL, NULL },
	{ "allow", "max-seconds", "7200", POLICY_LIMIT, RULE(seconds_max), NULL, NULL },
	{ "allow", "max-memory", "none", POLICY_SIZE, RULE(memory_max), NULL, NULL },
	{ "allow", "max-processes", "4096", POLICY_LIMIT, RULE(processes_max), NULL, NULL },
	{ "ids", "first", "1879048192", POLICY_ID, POLICY(first), NULL, NULL },
	{ "ids", "uids", "1000-5095", POLICY_UIDS, POLICY(uid_from), NULL, NULL },
	{ "audit", "required", "no", POLICY_SWITCH, POLICY(required), NULL, NULL },
	{ "audit", "journal", "yes", POLICY_SWITCH, POLICY(journal), NULL, NULL },
	{ "audit", "syslog", "no", POLICY_SWITCH, POLICY(syslog), NULL, NULL },
	{ "audit", "file", "/var/log/rootlet/audit.log", POLICY_FILE, POLICY(file), valid_file, NULL },
};
/* clang-format on */

const size_t policy_key_count = sizeof(policy_keys) / sizeof(*policy_keys);

struct policy_parser {
	struct policy *policy;
	struct ini_text ini;
	uint32_t given_in_file, given_in_rule; /* a bit for each key */
};

/* Replaces each word by its canonical path. */
static int resolve_words(struct policy_parser *p, char **words)
{
	char path[PATH_MAX];

	for (; *words; words++) {
		if (**words != '/' || directory_canonical(*words, path) < 0)
			continue;
		free(*words);
		*words = strdup(path);
		if (!*words)
			return ini_complain(&p->ini, "out of memory");
	}
	return 1;
}

static int take_words(struct policy_parser *p, const struct policy_key *key, char ***words,
		      const char *value)
{
	char **taken = ini_words(&p->ini, value, key->what, key->valid);

	if (!taken)
		return 0;
	words_free(*words);
	*words = taken;
	return key->kind == POLICY_PATHS ? resolve_words(p, taken) : 1;
}

/* A number or, with SUFFIXES, a size such as 512M or 2G. "none" is POLICY_NONE. */
static int policy_take_number(struct policy_parser *p, const char *value, bool suffixes,
			      uint64_t *number)
{
	static const char letters[] = "KMGT";
	char *end = NULL;
	const char *letter;
	uint64_t n;

	*number = POLICY_NONE;
	if (strcmp(value, "none") == 0)
		return 1;
	errno = 0;
	n = strtoull(value, &end, 10);
	letter = suffixes && *end ? strchr(letters, *end) : NULL;
	if (letter)
		end++;
	if (value[0] < '0' || value[0] > '9' || *end || errno || n > UINT32_MAX || n == 0)
		return ini_complain(&p->ini, "\"%s\" is not a %s (none, or at least 1)", value,
				    suffixes ? "size (512M, 2G)" : "number");
	*number = n << (letter ? 10 * (letter - letters + 1) : 0);
	return 1;
}

static int take_switch(struct policy_parser *p, const char *value, bool *on)
{
	*on = strcmp(value, "yes") == 0;
	return *on || strcmp(value, "no") == 0
		       ? 1
		       : ini_complain(&p->ini, "\"%s\": write yes or no", value);
}

static int take_file(struct policy_parser *p, const char *value, char **file)
{
	char *copy;

	if (strcmp(value, "none") != 0 && !valid_file(value))
		return ini_complain(&p->ini, "\"%s\" is neither an absolute path nor none", value);
	copy = strdup(value);
	if (!copy)
		return ini_complain(&p->ini, "out of memory");
	free(*file);
	*file = copy;
	return 1;
}

static int take_id(struct policy_parser *p, const char *value, uint32_t *id)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n < POLICY_SLOT ||
	    n > UINT32_MAX - POLICY_SLOT)
		return ini_complain(&p->ini,
				    "\"%s\" is not an id that can start a range of %u: write "
				    "one between %u and %u",
				    value, POLICY_RANGE, POLICY_SLOT, UINT32_MAX - POLICY_SLOT);
	*id = (uint32_t)n;
	return 1;
}

static int take_uids(struct policy_parser *p, const char *value)
{
	unsigned from, to;
	char more;

	if (strcmp(value, "none") == 0) {
		p->policy->uid_from = 1;
		p->policy->uid_to = 0;
		return 1;
	}
	if (sscanf(value, "%9u-%9u%c", &from, &to, &more) != 2 || from == 0 || to < from)
		return ini_complain(&p->ini,
				    "\"%s\" is neither a span of uids (1000-5095) nor none", value);
	p->policy->uid_from = from;
	p->policy->uid_to = to;
	return 1;
}

static int policy_take_value(struct policy_parser *p, const struct policy_key *key, void *base,
			     const char *value)
{
	void *field = (char *)base + key->offset;

	switch (key->kind) {
	case POLICY_WORDS:
	case POLICY_PATHS:
		return take_words(p, key, field, value);
	case POLICY_LIMIT:
	case POLICY_SIZE:
		return policy_take_number(p, value, key->kind == POLICY_SIZE, field);
	case POLICY_SWITCH:
		return take_switch(p, value, field);
	case POLICY_FILE:
		return take_file(p, value, field);
	case POLICY_ID:
		return take_id(p, value, field);
	case POLICY_UIDS:
		return take_uids(p, value);
	}
	return ini_complain(&p->ini, "a key of an unknown kind");
}

static int take_presets(struct policy_parser *p, bool of_rule, void *base)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if ((strcmp(policy_keys[i].section, "allow") == 0) == of_rule &&
		    !policy_take_value(p, &policy_keys[i], base, policy_keys[i].preset))
			return 0;
	return 1;
}

static int policy_take_key(struct policy_parser *p, const char *section, void *base,
			   uint32_t *given, const char *name, const char *value)
{
	for (size_t i = 0; i < policy_key_count; i++) {
		if (strcmp(policy_keys[i].section, section) != 0 ||
		    strcmp(policy_keys[i].name, name) != 0)
			continue;
		/* inih reports an indented line as the same key again. */
		if (*given >> i & 1)
			return ini_complain(&p->ini,
					    "\"%s\" is given twice, or continues in a second "
					    "line",
					    name);
		*given |= UINT32_C(1) << i;
		return policy_take_value(p, &policy_keys[i], base, value);
	}
	return ini_complain(&p->ini, "unknown key \"%s\" in [%s]; see policy.conf.example", name,
			    section);
}

static int take_range(struct policy_parser *p, const char *user, const char *value)
{
	struct policy *policy = p->policy;
	struct policy_range *range;

	if (!valid_account_name(user))
		return ini_complain(&p->ini, "\"%s\" is not a valid user name", user);
	for (size_t i = 0; i < policy->range_count; i++)
		if (strcmp(policy->ranges[i].user, user) == 0)
			return ini_complain(&p->ini, "user %s has a range already", user);
	range = array_grow(&policy->ranges, policy->range_count, sizeof(*range));
	if (!range || !(range->user = strdup(user)))
		return ini_complain(&p->ini, "out of memory");
	policy->range_count++;
	range->line = p->ini.line;
	return take_id(p, value, &range->first);
}

static struct policy_rule *policy_rule_of(struct policy_parser *p, const char *name)
{
	struct policy *policy = p->policy;
	struct policy_rule *rule;

	for (size_t i = 0; i < policy->rule_count; i++) {
		rule = &policy->rules[i];
		if (strcmp(rule->name, name) != 0)
			continue;
		if (rule->line == p->ini.section_line)
			return rule;
		ini_complain(&p->ini, "a second section [allow %s]", name);
		return NULL;
	}
	if (!valid_rootfs_name(name)) {
		ini_complain(&p->ini, "\"%s\" is not a valid section name", name);
		return NULL;
	}
	rule = array_grow(&policy->rules, policy->rule_count, sizeof(*rule));
	if (!rule || !(rule->name = strdup(name))) {
		ini_complain(&p->ini, "out of memory");
		return NULL;
	}
	policy->rule_count++;
	rule->line = p->ini.section_line;
	p->given_in_rule = 0;
	return take_presets(p, true, rule) ? rule : NULL;
}

static int policy_parse_key(void *context, const char *section, const char *name, const char *value)
{
	struct policy_parser *p = context;
	struct policy_rule *rule;

	if (strncmp(section, "allow ", 6) == 0) {
		rule = policy_rule_of(p, section + 6);
		return rule ? policy_take_key(p, "allow", rule, &p->given_in_rule, name, value) : 0;
	}
	if (strcmp(section, "ids") == 0 && strncmp(name, "user ", 5) == 0)
		return take_range(p, name + 5, value);
	if (strcmp(section, "ids") == 0 || strcmp(section, "audit") == 0) {
		if (strcmp(section, "ids") == 0 && !p->policy->ids_line)
			p->policy->ids_line = p->ini.line;
		return policy_take_key(p, section, p->policy, &p->given_in_file, name, value);
	}
	return ini_complain(&p->ini,
			    "unknown section [%s]; there are only [allow NAME], [ids] and [audit]",
			    section);
}

/* A span of host ids that somebody has: FIRST to END - 1; empty if they are equal. */
struct span {
	uint64_t first, end;
	const char *whose;
	unsigned line;
};

/* Span 0 is root's when root has no line of its own; span 1 covers the user ids. */
static struct span span_of(const struct policy *p, size_t number)
{
	uint64_t uids = p->uid_to < p->uid_from ? 0 : p->uid_to - p->uid_from + 1;
	const struct policy_range *r;

	if (number == 0)
		return (struct span){ SUBIDS_ROOT_FIRST, SUBIDS_ROOT_FIRST + POLICY_SLOT, "root",
				      0 };
	if (number == 1)
		return (struct span){ p->first, p->first + uids * POLICY_SLOT, "uids",
				      p->ids_line };
	r = &p->ranges[number - 2];
	return (struct span){ r->first, (uint64_t)r->first + POLICY_SLOT, r->user, r->line };
}

static int check_apart(const struct policy *p, size_t number, size_t before, struct error **err)
{
	struct span a = span_of(p, number), b = span_of(p, before);
	uint64_t from = MAX(a.first, b.first), end = MIN(a.end, b.end);

	if (from >= end || strcmp(a.whose, b.whose) == 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s:%u: the range of %s overlaps that of %s: both have the ids from %ju "
			 "to %ju",
			 p->path, a.line, a.whose, b.whose, (uintmax_t)from, (uintmax_t)end - 1);
}

/* No id may be given out twice, neither by two lines nor by a line and the span of user ids. */
static int check_ranges(const struct policy *p, struct error **err)
{
	if (span_of(p, 1).end > UINT32_MAX)
		return error_set(err, ERR_INPUT,
				 "%s:%u: the ranges of user ids %u to %u, which start at "
				 "%u, go beyond the last id",
				 p->path, p->ids_line, p->uid_from, p->uid_to, p->first);
	for (size_t i = 1; i < p->range_count + 2; i++)
		for (size_t j = 0; j < i; j++)
			if (check_apart(p, i, j, err) < 0)
				return -1;
	return 0;
}

/* journald and syslog drop records beyond their rate limits, and still report success. */
static int check_required(const struct policy *p, struct error **err)
{
	if (!p->required || strcmp(p->file, "none") != 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s: audit: required = yes needs a file, because the journal and syslog "
			 "silently drop records beyond their rate limits; write: file = "
			 "/var/log/rootlet/audit.log",
			 p->path);
}

int policy_parse(const char *path, const char *text, struct policy **out, struct error **err)
{
	struct policy *policy = *out = calloc(1, sizeof(*policy));
	struct policy_parser p = {
		.policy = policy, .ini = { .path = path, .text = text, .handler = policy_parse_key }
	};

	if (!policy)
		return error_no_memory(err);
	policy->path = path;
	p.ini.context = &p;
	if (!take_presets(&p, false, policy) || ini_text_parse(&p.ini, err) < 0 ||
	    check_ranges(policy, err) < 0)
		return -1;
	return check_required(policy, err);
}

/* The policy without a file: everybody may do everything. */
static int open_to_all(struct policy **out, struct error **err)
{
	return policy_parse(NULL,
			    "[allow everybody]\nusers = *\nfolders = *\nkeyrings = *\n"
			    "tree-modes = 0700 0755\nolder-releases = yes\nmax-size = none\n"
			    "max-count = none\nmax-seconds = none\n"
			    "[audit]\njournal = no\nfile = none\n",
			    out, err);
}

/* Opens a file or directory of root's. Anyone else who could write or replace it would decide what
 * it says. */
static int open_roots(const char *path, int flags, mode_t type, struct error **err)
{
	_cleanup_close_ int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, ERR_HOST, "cannot open %s", path);
	if ((st.st_mode & S_IFMT) != type)
		return error_set(err, ERR_HOST, "%s is not a %s", path,
				 type == S_IFREG ? "regular file" : "directory");
	if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, ERR_HOST,
				 "%s is refused: it must belong to root and be writable by "
				 "nobody else; run: chown root: %s && chmod go-w %s",
				 path, path, path);
	return steal_fd(&fd);
}

int policy_load(const char *path, bool required, struct policy **out, struct error **err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *above = strndup(path, (size_t)(slash - path)), *text = NULL;
	_cleanup_close_ int directory = -1, file = -1;
	size_t size;

	*out = NULL;
	if (!above)
		return error_no_memory(err);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return !required ? open_to_all(out, err)
				 : error_set(err, ERR_REFUSED,
					     "%s is missing, and without it an installed "
					     "rootlet-helper refuses every request; ask an "
					     "administrator to create it from "
					     "policy.conf.example",
					     path);
	directory = open_roots(above, O_PATH, S_IFDIR, err);
	file = directory < 0 ? -1 : open_roots(path, O_RDONLY, S_IFREG, err);
	if (file < 0)
		return -1;
	text = read_all(file, BYTES_MAX, &size);
	if (!text)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	if (size == BYTES_MAX || strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: %s", path,
				 size == BYTES_MAX ? "too long" : "has NUL bytes");
	return policy_parse(path, text, out, err);
}
