#include "policy/policy.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/ini_text.h"
#include "policy/operations.h"
#include "proto/validate.h"

#define WORDS_MAX 1024
#define RULES_MAX 64
#define RANGES_MAX 4096
#define BYTES_MAX (256 * 1024)

#ifndef __clang__
/* gcc's analyzer loses a pointer that is stored at an offset out of a table, as all values here
 * are. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

enum kind { WORDS, LIMIT, SIZE, SWITCH, FILE_NAME, ID, UIDS };

static bool valid_word(const char *s)
{
	return *s != '\0';
}

static bool valid_release(const char *s)
{
	return strcmp(s, "*") == 0 || valid_archive_word(s);
}

static bool valid_user(const char *s)
{
	return strcmp(s, "*") == 0 || valid_account_name(s) || s[strspn(s, "0123456789")] == '\0';
}

static bool valid_group(const char *s)
{
	return valid_account_name(s) || s[strspn(s, "0123456789")] == '\0';
}

static bool valid_file(const char *s)
{
	return s[0] == '/' && s[1] && !strstr(s, "//") && !strstr(s, "/./") && !strstr(s, "/../");
}

/* The folder is compared with what the kernel says, which has neither dots nor links in it. */
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

static bool valid_mirror(const char *s)
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
static const struct key {
	const char *section, *name, *preset;
	enum kind kind;
	size_t offset;
	bool (*valid)(const char *word);
	const char *what;
} keys[] = {
	{ "allow", "users", "", WORDS, RULE(users), valid_user, "name of a user" },
	{ "allow", "groups", "", WORDS, RULE(groups), valid_group, "name of a group" },
	{ "allow", "operations", "create check delete shell run", WORDS, RULE(operations),
	  valid_operation, "operation" },
	{ "allow", "folders", "~", WORDS, RULE(folders), valid_folder, "folder" },
	{ "allow", "releases", "*", WORDS, RULE(releases), valid_release, "release" },
	{ "allow", "mirrors", "*", WORDS, RULE(mirrors), valid_mirror, "mirror" },
	{ "allow", "keyrings", "/usr/share/keyrings/ubuntu-archive-keyring.gpg "
	  "/usr/share/keyrings/debian-archive-keyring.gpg", WORDS, RULE(keyrings), valid_keyring,
	  "keyring's path" },
	{ "allow", "deny-packages", "", WORDS, RULE(denied_packages), valid_word, "package" },
	{ "allow", "engines", "debootstrap native", WORDS, RULE(engines), valid_archive_word, "engine" },
	{ "allow", "tree-modes", "0700", WORDS, RULE(tree_modes), valid_mode, "mode of a rootfs" },
	{ "allow", "older-releases", "no", SWITCH, RULE(older_releases), NULL, NULL },
	{ "allow", "max-size", "16G", SIZE, RULE(size_max), NULL, NULL },
	{ "allow", "max-count", "32", LIMIT, RULE(count_max), NULL, NULL },
	{ "allow", "max-seconds", "7200", LIMIT, RULE(seconds_max), NULL, NULL },
	{ "allow", "max-memory", "none", SIZE, RULE(memory_max), NULL, NULL },
	{ "allow", "max-processes", "4096", LIMIT, RULE(processes_max), NULL, NULL },
	{ "ids", "first", "1879048192", ID, POLICY(first), NULL, NULL },
	{ "ids", "uids", "1000-5095", UIDS, POLICY(uid_from), NULL, NULL },
	{ "audit", "required", "no", SWITCH, POLICY(required), NULL, NULL },
	{ "audit", "journal", "yes", SWITCH, POLICY(journal), NULL, NULL },
	{ "audit", "syslog", "no", SWITCH, POLICY(syslog), NULL, NULL },
	{ "audit", "file", "/var/log/rootlet/audit.log", FILE_NAME, POLICY(file), valid_file, NULL },
};
/* clang-format on */

#define KEY_COUNT (sizeof(keys) / sizeof(*keys))

struct parser {
	struct policy *policy;
	struct ini_text ini;
	uint32_t given_in_file, given_in_rule; /* a bit for each key */
};

static int take_words(const struct parser *p, const struct key *key, char ***words,
		      const char *value)
{
	/* An empty list, too, is one. */
	char **empty = calloc(1, sizeof(char *));
	size_t count = 0;

	if (!empty)
		return ini_complain(&p->ini, "out of memory");
	words_free(*words);
	*words = empty;
	return ini_add_words(&p->ini, value, key->what, WORDS_MAX, key->valid, words, &count);
}

/* A number, or with SUFFIXES a size such as 512M or 2G; "none" is POLICY_NONE. */
static int take_number(const struct parser *p, const char *value, bool suffixes, uint64_t *number)
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
		return ini_complain(&p->ini, "\"%s\" is no %s: say none, or one from 1 on", value,
				    suffixes ? "size (512M, 2G)" : "number");
	*number = n << (letter ? 10 * (letter - letters + 1) : 0);
	return 1;
}

static int take_switch(const struct parser *p, const char *value, bool *on)
{
	*on = strcmp(value, "yes") == 0;
	return *on || strcmp(value, "no") == 0
		       ? 1
		       : ini_complain(&p->ini, "\"%s\": say yes or no", value);
}

static int take_file(const struct parser *p, const char *value, char **file)
{
	char *copy;

	if (strcmp(value, "none") != 0 && !valid_file(value))
		return ini_complain(&p->ini, "\"%s\" is no absolute path, nor none", value);
	copy = strdup(value);
	if (!copy)
		return ini_complain(&p->ini, "out of memory");
	free(*file);
	*file = copy;
	return 1;
}

static int take_id(const struct parser *p, const char *value, uint32_t *id)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n < POLICY_SLOT ||
	    n > UINT32_MAX - POLICY_SLOT)
		return ini_complain(&p->ini,
				    "\"%s\" is no id from which %u are free for a range: "
				    "one between %u and %u",
				    value, POLICY_RANGE, POLICY_SLOT, UINT32_MAX - POLICY_SLOT);
	*id = (uint32_t)n;
	return 1;
}

static int take_uids(struct parser *p, const char *value)
{
	unsigned from, to;
	char more;

	if (strcmp(value, "none") == 0) {
		p->policy->uid_from = 1;
		p->policy->uid_to = 0;
		return 1;
	}
	if (sscanf(value, "%9u-%9u%c", &from, &to, &more) != 2 || from == 0 || to < from)
		return ini_complain(&p->ini, "\"%s\" is no span of user ids (1000-5095), nor none",
				    value);
	p->policy->uid_from = from;
	p->policy->uid_to = to;
	return 1;
}

static int take_value(struct parser *p, const struct key *key, void *base, const char *value)
{
	void *field = (char *)base + key->offset;

	switch (key->kind) {
	case WORDS:
		return take_words(p, key, field, value);
	case LIMIT:
	case SIZE:
		return take_number(p, value, key->kind == SIZE, field);
	case SWITCH:
		return take_switch(p, value, field);
	case FILE_NAME:
		return take_file(p, value, field);
	case ID:
		return take_id(p, value, field);
	case UIDS:
		return take_uids(p, value);
	}
	return ini_complain(&p->ini, "a key of no kind");
}

static int take_presets(struct parser *p, bool of_rule, void *base)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((strcmp(keys[i].section, "allow") == 0) == of_rule &&
		    !take_value(p, &keys[i], base, keys[i].preset))
			return 0;
	return 1;
}

static int take_key(struct parser *p, const char *section, void *base, uint32_t *given,
		    const char *name, const char *value)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		/* inih gives an indented line as the same key again. */
		if (*given >> i & 1)
			return ini_complain(&p->ini,
					    "\"%s\" is given twice, or goes on in a second "
					    "line",
					    name);
		*given |= UINT32_C(1) << i;
		return take_value(p, &keys[i], base, value);
	}
	return ini_complain(&p->ini, "unknown key \"%s\" in [%s]; see policy.conf.example", name,
			    section);
}

static int take_range(struct parser *p, const char *user, const char *value)
{
	struct policy *policy = p->policy;
	struct policy_range *range;

	if (!valid_account_name(user))
		return ini_complain(&p->ini, "\"%s\" is no name for a user", user);
	for (size_t i = 0; i < policy->range_count; i++)
		if (strcmp(policy->ranges[i].user, user) == 0)
			return ini_complain(&p->ini, "user %s has a range already", user);
	if (policy->range_count == RANGES_MAX)
		return ini_complain(&p->ini, "more than %d ranges", RANGES_MAX);
	range = array_grow(&policy->ranges, policy->range_count, sizeof(*range));
	if (!range || !(range->user = strdup(user)))
		return ini_complain(&p->ini, "out of memory");
	policy->range_count++;
	range->line = p->ini.line;
	return take_id(p, value, &range->first);
}

static struct policy_rule *rule_of(struct parser *p, const char *name)
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
	if (!valid_rootfs_name(name) || policy->rule_count == RULES_MAX) {
		ini_complain(&p->ini,
			     policy->rule_count == RULES_MAX ? "one section too many: [allow %s]"
							     : "\"%s\" is no name for a section",
			     name);
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

static int parse_key(void *context, const char *section, const char *name, const char *value)
{
	struct parser *p = context;
	struct policy_rule *rule;

	if (strncmp(section, "allow ", 6) == 0) {
		rule = rule_of(p, section + 6);
		return rule ? take_key(p, "allow", rule, &p->given_in_rule, name, value) : 0;
	}
	if (strcmp(section, "ids") == 0 && strncmp(name, "user ", 5) == 0)
		return take_range(p, name + 5, value);
	if (strcmp(section, "ids") == 0 || strcmp(section, "audit") == 0) {
		if (strcmp(section, "ids") == 0 && !p->policy->ids_line)
			p->policy->ids_line = p->ini.line;
		return take_key(p, section, p->policy, &p->given_in_file, name, value);
	}
	return ini_complain(&p->ini,
			    "unknown section [%s]: there are [allow NAME], [ids] and [audit]",
			    section);
}

static bool overlaps_root(uint64_t first, uint64_t end)
{
	return first < end && first < (uint64_t)POLICY_ROOT_FIRST + POLICY_SLOT &&
	       end > POLICY_ROOT_FIRST;
}

/* No id is given to two: neither by two lines, nor by a line and by the span of user ids. */
static int check_ranges(const struct policy *p, struct error **err)
{
	uint64_t end = p->first;

	if (p->uid_to >= p->uid_from)
		end += (uint64_t)(p->uid_to - p->uid_from + 1) * POLICY_SLOT;
	if (end > UINT32_MAX)
		return error_set(err, ERR_INPUT,
				 "%s:%u: the ranges of user ids %u to %u, from %u "
				 "on, go beyond the last id",
				 p->path, p->ids_line, p->uid_from, p->uid_to, p->first);
	if (overlaps_root(p->first, end))
		return error_set(err, ERR_INPUT,
				 "%s:%u: the ranges of user ids %u to %u overlap that of root, "
				 "which begins at %u",
				 p->path, p->ids_line, p->uid_from, p->uid_to, POLICY_ROOT_FIRST);
	for (size_t i = 0; i < p->range_count; i++) {
		const struct policy_range *a = &p->ranges[i];

		if (strcmp(a->user, "root") != 0 &&
		    overlaps_root(a->first, (uint64_t)a->first + POLICY_SLOT))
			return error_set(err, ERR_INPUT,
					 "%s:%u: the range of %s overlaps that of root, which "
					 "begins at %u",
					 p->path, a->line, a->user, POLICY_ROOT_FIRST);
		if (end > p->first && a->first + POLICY_SLOT > p->first && a->first < end)
			return error_set(err, ERR_INPUT,
					 "%s:%u: the range of %s overlaps those "
					 "of user ids %u to %u",
					 p->path, a->line, a->user, p->uid_from, p->uid_to);
		for (size_t j = 0; j < i; j++)
			if (a->first < p->ranges[j].first + POLICY_SLOT &&
			    p->ranges[j].first < a->first + POLICY_SLOT)
				return error_set(err, ERR_INPUT,
						 "%s:%u: the range of %s overlaps "
						 "that of %s in line %u",
						 p->path, a->line, a->user, p->ranges[j].user,
						 p->ranges[j].line);
	}
	return 0;
}

/* journald and syslog drop what exceeds their rate limits, and report success all the same. */
static int check_required(const struct policy *p, struct error **err)
{
	if (!p->required || strcmp(p->file, "none") != 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s: audit: required = yes needs a file: the journal and syslog drop "
			 "records over their rate limits and do not say so; write: file = "
			 "/var/log/rootlet/audit.log",
			 p->path);
}

int policy_parse(const char *path, const char *text, struct policy **out, struct error **err)
{
	_cleanup_(policy_free) struct policy *policy = calloc(1, sizeof(*policy));
	struct parser p = { .policy = policy, .ini = { .path = path, .text = text, .err = err } };

	if (!policy)
		return error_set(err, ERR_SPACE, "out of memory");
	policy->path = path;
	if (!take_presets(&p, false, policy) || ini_text_parse(&p.ini, parse_key, &p) < 0 ||
	    check_ranges(policy, err) < 0 || check_required(policy, err) < 0)
		return -1;
	*out = STEAL_PTR(policy);
	return 0;
}

struct policy *policy_open_to_all(void)
{
	static const char text[] = "[allow everybody]\nusers = *\nfolders = *\nkeyrings = *\n"
				   "tree-modes = 0700 0755\nolder-releases = yes\nmax-size = "
				   "none\nmax-count = none\nmax-seconds = none\n"
				   "[audit]\njournal = no\nfile = none\n";
	struct policy *policy = NULL;

	if (policy_parse(NULL, text, &policy, NULL) < 0)
		return NULL;
	return policy;
}

/* Whoever can write the file, or exchange it, would be its author. */
static int check_owner(int fd, const char *path, struct error **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, ERR_SYSTEM, "cannot look at %s", path);
	if (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, ERR_HOST,
				 "%s is refused: it must be root's and writable by "
				 "nobody else; run: chown root: %s && chmod go-w %s",
				 path, path, path);
	return 0;
}

static int check_folder(const char *path, struct error **err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);
	_cleanup_close_ int fd = -1;

	if (!folder)
		return error_set(err, ERR_SPACE, "out of memory");
	fd = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, ERR_HOST, "cannot look at %s", folder);
	return check_owner(fd, folder, err);
}

static char *read_text(int fd, const char *path, struct error **err)
{
	_cleanup_free_ char *text = malloc(BYTES_MAX + 1);
	size_t used = 0;
	ssize_t n = 1;

	while (text && used < BYTES_MAX && n > 0) {
		n = RETRY_ON_EINTR(read(fd, text + used, BYTES_MAX - used));
		used += n > 0 ? (size_t)n : 0;
	}
	if (!text || n < 0) {
		error_errno(err, ERR_SYSTEM, "cannot read %s", path);
		return NULL;
	}
	text[used] = '\0';
	if (used == BYTES_MAX || strlen(text) != used) {
		error_set(err, ERR_INPUT, "%s: %s", path,
			  used == BYTES_MAX ? "too long" : "has NUL bytes");
		return NULL;
	}
	return STEAL_PTR(text);
}

int policy_load(const char *path, bool required, struct policy **out, struct error **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat st;

	*out = NULL;
	if (fd < 0 && errno == ENOENT && !required)
		return 0;
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_REFUSED,
				 "there is no %s, and without it rootlet-helper, "
				 "which is installed with privileges, does nothing for anybody; an "
				 "administrator can begin with policy.conf.example",
				 path);
	if (fd < 0)
		return error_errno(err, ERR_HOST, "cannot open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERR_HOST, "%s is no regular file", path);
	if (check_owner(fd, path, err) < 0 || check_folder(path, err) < 0)
		return -1;
	text = read_text(fd, path, err);
	return text ? policy_parse(path, text, out, err) : -1;
}

static void rule_clear(struct policy_rule *rule)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].section, "allow") == 0 && keys[i].kind == WORDS)
			words_free(*(char ***)(void *)((char *)rule + keys[i].offset));
	free(rule->name);
}

void policy_free(struct policy **policy)
{
	struct policy *p = *policy;

	if (!p)
		return;
	for (size_t i = 0; i < p->rule_count; i++)
		rule_clear(&p->rules[i]);
	for (size_t i = 0; i < p->range_count; i++)
		free(p->ranges[i].user);
	free(p->rules);
	free(p->ranges);
	free(p->file);
	free(p);
	*policy = NULL;
}

const char *policy_key(size_t number, const char **section, const char **preset)
{
	if (number >= KEY_COUNT)
		return NULL;
	*section = keys[number].section;
	*preset = keys[number].preset;
	return keys[number].name;
}

static char *join(char *const *words)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; f && words[i]; i++)
		fprintf(f, "%s%s", i ? " " : "", words[i]);
	if (f)
		fclose(f);
	return text;
}

static char *number_text(uint64_t number, bool size)
{
	static const char letters[] = "KMGT";
	char *text = NULL;
	int power = -1;

	if (number == POLICY_NONE)
		return strdup("none");
	while (size && power < 3 && number % 1024 == 0) {
		number /= 1024;
		power++;
	}
	if (asprintf(&text, "%ju%.*s", (uintmax_t)number, power >= 0,
		     &letters[power < 0 ? 0 : power]) < 0)
		return NULL;
	return text;
}

char *policy_rule_value(const struct policy_rule *rule, size_t number)
{
	const struct key *key = &keys[number];
	const void *field = (const char *)rule + key->offset;

	if (strcmp(key->section, "allow") != 0)
		return NULL;
	if (key->kind == WORDS)
		return join(*(char *const *const *)field);
	if (key->kind == SWITCH)
		return strdup(*(const bool *)field ? "yes" : "no");
	return number_text(*(const uint64_t *)field, key->kind == SIZE);
}

char *policy_rule_content(const struct policy_rule *rule)
{
	static const char *const names[] = { "releases", "mirrors", "keyrings", "deny-packages",
					     "engines" };
	bool good = true;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; f && i < KEY_COUNT; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++) {
			_cleanup_free_ char *value = NULL;

			if (strcmp(keys[i].section, "allow") != 0 ||
			    strcmp(keys[i].name, names[j]) != 0)
				continue;
			value = policy_rule_value(rule, i);
			good = good && value;
			fprintf(f, "%s %s\n", names[j], value ? value : "");
		}
	if (!f || fclose(f) != 0 || !good) {
		free(text);
		return NULL;
	}
	return text;
}
