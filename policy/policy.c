#include "policy/policy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/param.h>

#include "lib/names.h"
#include "lib/owned.h"
#include "policy/canonical.h"
#include "policy/subids.h"
#include "proto/requests.h"

#define BYTES_MAX (256 * 1024) /* of the file; this also bounds words, rules and ranges */
#define BLANKS " \t\r\v\f"

#ifndef __clang__
/* gcc's analyzer loses track of pointers that are stored at an offset from a table, as all values
 * here are. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static bool valid_account(const char *s)
{
	return valid_account_name(s) || s[strspn(s, NAME_DIGITS)] == '\0';
}

/* Whether it is the word of some request. */
static bool valid_operation(const char *s)
{
#define WORD(NAME, Name, name, word, ...) word,
	static const char *const words[] = { REQUESTS(WORD) };
#undef WORD

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i] && strcmp(words[i], s) == 0)
			return true;
	return false;
}

static bool valid_file(const char *s)
{
	return s[0] == '/' && s[1] && !strstr(s, "//") && !strstr(s, "/./") && !strstr(s, "/../");
}

/* The directory is compared with the kernel's path, which contains neither dots nor links. */
static bool valid_dir(const char *s)
{
	const char *rest = s[0] == '~' ? s + 1 : s;
	size_t length = strlen(rest);

	return strcmp(s, "~") == 0 ||
	       (valid_file(rest) && rest[length - 1] != '/' && rest[length - 1] != '.');
}

static bool valid_mirror_prefix(const char *s)
{
	return strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0 ||
	       strncmp(s, "file:///", 8) == 0;
}

static bool valid_mode(const char *s)
{
	return strcmp(s, "0700") == 0 || strcmp(s, "0755") == 0;
}

#define RULE(field) offsetof(struct policy_rule, field)
#define POLICY(field) offsetof(struct policy, field)
#define NUMBER "number (none, or at least 1)"
#define SIZE "size (512M, 2G; none, or at least 1)"
#define ID "id at which a range can start (65536 to 4294901759)"
#define SWITCH "switch (yes or no)"

/* clang-format off */
const struct policy_key policy_keys[] = {
	{ "allow", "users", "", RULE(users), valid_account, "user name", POLICY_WORDS, "*" },
	{ "allow", "groups", "", RULE(groups), valid_account, "group name", POLICY_WORDS },
	{ "allow", "operations", "create install check delete shell run", RULE(operations),
	  valid_operation, "operation", POLICY_WORDS },
	{ "allow", "folders", "~", RULE(dirs), valid_dir, "directory", POLICY_PATHS, "*" },
	{ "allow", "releases", "*", RULE(releases), valid_archive_word, "release", POLICY_WORDS, "*" },
	{ "allow", "mirrors", "*", RULE(mirrors), valid_mirror_prefix, "mirror", POLICY_WORDS, "*" },
	{ "allow", "keyrings", "/usr/share/keyrings/ubuntu-archive-keyring.gpg "
	  "/usr/share/keyrings/debian-archive-keyring.gpg", RULE(keyrings), valid_file,
	  "keyring path", POLICY_PATHS, "*" },
	{ "allow", "repository-keyrings", "", RULE(repository_keyrings), valid_file, "keyring path",
	  POLICY_PATHS, "*" },
	{ "allow", "deny-packages", "", RULE(denied_packages), NULL, "package", POLICY_WORDS },
	{ "allow", "engines", "debootstrap native pieces", RULE(engines), valid_archive_word, "engine", POLICY_WORDS },
	{ "allow", "tree-modes", "0700", RULE(tree_modes), valid_mode, "rootfs mode", POLICY_WORDS },
	{ "allow", "older-releases", "no", RULE(older_releases), NULL, SWITCH, POLICY_SWITCH },
	{ "allow", "max-size", "16G", RULE(size_max), NULL, SIZE, POLICY_SIZE },
	{ "allow", "max-count", "32", RULE(count_max), NULL, NUMBER, POLICY_NUMBER },
	{ "allow", "max-seconds", "7200", RULE(seconds_max), NULL, NUMBER, POLICY_NUMBER },
	{ "allow", "max-memory", "none", RULE(memory_max), NULL, SIZE, POLICY_SIZE },
	{ "allow", "max-processes", "4096", RULE(processes_max), NULL, NUMBER, POLICY_NUMBER },
	{ "ids", "first", "1879048192", POLICY(first), NULL, ID, POLICY_ID },
	{ "ids", "uids", "1000-5095", POLICY(uid_from), NULL, "span of uids (1000-5095, or none)", POLICY_UIDS },
	{ "audit", "required", "no", POLICY(required), NULL, SWITCH, POLICY_SWITCH },
	{ "audit", "journal", "yes", POLICY(journal), NULL, SWITCH, POLICY_SWITCH },
	{ "audit", "syslog", "no", POLICY(syslog), NULL, SWITCH, POLICY_SWITCH },
	{ "audit", "file", "/var/log/rootlet/audit.log", POLICY(file), valid_file, "absolute path (or none)", POLICY_FILE, "none" },
};
/* clang-format on */

const size_t policy_key_count = sizeof(policy_keys) / sizeof(*policy_keys);

struct policy_parser {
	struct policy *policy;
	struct error **err;
	const char *section;
	struct policy_rule *rule; /* of the current section, if that is [allow …] */
	unsigned line;
	uint32_t given[2]; /* a bit for each key: outside of rules, and in the current rule */
};

/* The error becomes "PATH:LINE: message". FORMAT is a literal. Returns -1. */
#define policy_complain(p, format, ...)                                                            \
	error_set((p)->err, ERR_INPUT, "%s:%u: " format, (p)->policy->path, (p)->line,             \
		  ##__VA_ARGS__)

static int policy_refuse_value(struct policy_parser *p, const struct policy_key *key,
			       const char *value)
{
	return policy_complain(p, "\"%s\" is not a valid %s", value, key->what);
}

/* Splits VALUE at blanks and commas, unless it is a single word. Paths become canonical. */
static int take_words(struct policy_parser *p, const struct policy_key *key, const char *value,
		      char **words)
{
	_cleanup_free_ char *copy = strdup(value), *list = NULL;
	const char *separators = key->kind == POLICY_FILE ? "" : " \t,";
	char path[PATH_MAX], *rest = copy, *word;
	size_t size;
	FILE *f = open_memstream(&list, &size);
	bool good = copy && f;

	while (good && (word = strsep(&rest, separators))) {
		if (!*word && *separators)
			continue;
		if (key->valid && !key->valid(word) && !(key->also && strcmp(word, key->also) == 0))
			good = policy_refuse_value(p, key, word) == 0;
		if (key->kind == POLICY_PATHS && *word == '/' &&
		    directory_canonical(word, path) == 0)
			word = path;
		fprintf(f, "%s%c", word, '\0');
	}
	if (!f || fclose(f) != 0 || !good)
		return policy_complain(p, "out of memory");
	free(*words);
	*words = STEAL_PTR(list);
	return 0;
}

static int take_number(struct policy_parser *p, const struct policy_key *key, const char *value,
		       uint64_t *number)
{
	const bool id = key->kind == POLICY_ID;
	const uint64_t least = id ? POLICY_SLOT : 1, most = UINT32_MAX - (id ? POLICY_SLOT : 0);
	const char *letters = key->kind == POLICY_SIZE ? "KMGT" : "", *letter;
	unsigned shift;
	char *end;

	*number = POLICY_NONE;
	if (!id && strcmp(value, "none") == 0)
		return 0;
	*number = strtoull(value, &end, 10);
	letter = *end ? strchr(letters, *end) : NULL;
	shift = letter ? 10 * (unsigned)(letter - letters + 1) : 0;
	if (value[0] < '0' || value[0] > '9' || *number < least || *number > most ||
	    (letter ? end[1] : *end) || *number > UINT64_MAX >> shift)
		return policy_refuse_value(p, key, value);
	*number <<= shift;
	return 0;
}

static int take_uids(struct policy_parser *p, const struct policy_key *key, const char *value)
{
	unsigned from = 1, to = 0;
	char more;

	if (strcmp(value, "none") != 0 &&
	    (sscanf(value, "%9u-%9u%c", &from, &to, &more) != 2 || from == 0 || to < from))
		return policy_refuse_value(p, key, value);
	p->policy->uid_from = from;
	p->policy->uid_to = to;
	return 0;
}

static int policy_take_value(struct policy_parser *p, const struct policy_key *key, void *base,
			     const char *value)
{
	void *field = (char *)base + key->offset;

	if (key->kind <= POLICY_FILE)
		return take_words(p, key, value, field);
	if (key->kind <= POLICY_ID)
		return take_number(p, key, value, field);
	if (key->kind == POLICY_UIDS)
		return take_uids(p, key, value);
	*(bool *)field = strcmp(value, "yes") == 0;
	return *(bool *)field || strcmp(value, "no") == 0 ? 0 : policy_refuse_value(p, key, value);
}

static bool policy_is_rules(const struct policy_key *key)
{
	return strcmp(key->section, "allow") == 0;
}

static int take_presets(struct policy_parser *p, bool of_rule, void *base)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (policy_is_rules(&policy_keys[i]) == of_rule &&
		    policy_take_value(p, &policy_keys[i], base, policy_keys[i].preset) < 0)
			return -1;
	return 0;
}

static int take_range(struct policy_parser *p, const char *user, const char *value)
{
	static const struct policy_key key = { .kind = POLICY_ID, .what = ID };
	struct policy_range **end = &p->policy->ranges;

	if (!valid_account_name(user))
		return policy_complain(p, "\"%s\" is not a valid user name", user);
	for (; *end; end = &(*end)->next)
		if (strcmp((*end)->user, user) == 0)
			return policy_complain(p, "user %s has a range already", user);
	*end = calloc(1, sizeof(**end));
	if (!*end)
		return policy_complain(p, "out of memory");
	snprintf((*end)->user, sizeof((*end)->user), "%s", user);
	(*end)->count = POLICY_SLOT;
	return take_number(p, &key, value, &(*end)->first);
}

/* Takes the header of a section, without its "[". */
static int policy_begin_section(struct policy_parser *p, char *section)
{
	struct policy_rule **end = &p->policy->rules;
	const char *name = section + 6;
	char *last = strchr(section, ']');

	if (!last || last[1])
		return policy_complain(p, "a section's header does not end with \"]\"");
	*last = '\0';
	p->section = section;
	p->rule = NULL;
	if (strcmp(section, "ids") == 0 || strcmp(section, "audit") == 0)
		return 0;
	if (strncmp(section, "allow ", 6) != 0)
		return policy_complain(p, "unknown section [%s]; see policy.conf.example", section);
	if (!valid_rootfs_name(name))
		return policy_complain(p, "\"%s\" is not a valid section name", name);
	for (; *end; end = &(*end)->next)
		if (strcmp((*end)->name, name) == 0)
			return policy_complain(p, "a second section [allow %s]", name);
	p->rule = *end = calloc(1, sizeof(*p->rule));
	if (!p->rule)
		return policy_complain(p, "out of memory");
	snprintf(p->rule->name, sizeof(p->rule->name), "%s", name);
	p->rule->line = p->line;
	p->given[true] = 0;
	return take_presets(p, true, p->rule);
}

static int policy_take_key(struct policy_parser *p, const char *name, const char *value)
{
	const bool of_rule = p->rule;

	if (strcmp(p->section, "ids") == 0 && strncmp(name, "user ", 5) == 0)
		return take_range(p, name + 5, value);
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];

		if (policy_is_rules(key) != of_rule || strcmp(key->name, name) != 0 ||
		    (!of_rule && strcmp(key->section, p->section) != 0))
			continue;
		if (p->given[of_rule] >> i & 1)
			return policy_complain(p, "\"%s\" is given twice", name);
		p->given[of_rule] |= UINT32_C(1) << i;
		return policy_take_value(p, key, of_rule ? (void *)p->rule : p->policy, value);
	}
	return policy_complain(p, "unknown key \"%s\" in [%s]; see policy.conf.example", name,
			       p->section);
}

/* Cuts off blanks at both ends. */
static char *policy_trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	for (length = strlen(text); length && strchr(BLANKS, text[length - 1]);)
		length--;
	text[length] = '\0';
	return text;
}

static int policy_take_line(struct policy_parser *p, char *line)
{
	char *value;

	/* A comment begins with the line, or after a blank. */
	for (char *at = line; (at = strchr(at, ';')); at++)
		if (at == line || strchr(BLANKS, at[-1]))
			*at = '\0';
	line = policy_trim(line);
	if (!*line || *line == '#')
		return 0;
	if (*line == '[')
		return policy_begin_section(p, line + 1);
	value = strpbrk(line, "=:");
	if (!value)
		return policy_complain(p, "neither [section] nor key = value");
	*value = '\0';
	return policy_take_key(p, policy_trim(line), policy_trim(value + 1));
}

static int check_apart(const struct policy *p, const struct policy_range *a,
		       const struct policy_range *b, struct error **err)
{
	uint64_t from = MAX(a->first, b->first);
	uint64_t end = MIN(a->first + a->count, b->first + b->count);

	if (from >= end || strcmp(a->user, b->user) == 0)
		return 0;
	return error_set(err, ERR_INPUT,
			 "%s: [ids]: the ranges of %s and %s overlap: both have the ids from %ju "
			 "to %ju",
			 p->path, b->user, a->user, (uintmax_t)from, (uintmax_t)end - 1);
}

/* No id may be given out twice: by two lines, by a line and the span of user ids, or by one of
 * these and root's range, which root has without a line of its own. */
static int check_ranges(const struct policy *p, struct error **err)
{
	struct policy_range uids = {
		.user = "user ids",
		.next = p->ranges,
		.first = p->first,
		.count = (uint64_t)(p->uid_to - p->uid_from + 1) * POLICY_SLOT,
	};
	const struct policy_range root = {
		.user = "root", .next = &uids, .first = SUBIDS_ROOT_FIRST, .count = POLICY_SLOT
	};

	if (uids.first + uids.count > UINT32_MAX)
		return error_set(err, ERR_INPUT,
				 "%s: [ids]: the ranges of user ids %u to %u, which start at %ju, "
				 "go beyond the last id",
				 p->path, p->uid_from, p->uid_to, (uintmax_t)p->first);
	for (const struct policy_range *a = &root; a; a = a->next)
		for (const struct policy_range *b = &root; b != a; b = b->next)
			if (check_apart(p, a, b, err) < 0)
				return -1;
	return 0;
}

int policy_parse(const char *path, const char *text, struct policy **out, struct error **err)
{
	_cleanup_free_ char *copy = strdup(text);
	struct policy *policy = *out = calloc(1, sizeof(*policy));
	struct policy_parser p = { .policy = policy, .err = err, .section = "" };
	char *rest = copy, *line;

	if (!policy || !copy)
		return error_no_memory(err);
	policy->path = path;
	if (take_presets(&p, false, policy) < 0)
		return -1;
	while ((line = strsep(&rest, "\n"))) {
		p.line++;
		if (policy_take_line(&p, line) < 0)
			return -1;
	}
	if (check_ranges(policy, err) < 0)
		return -1;
	/* journald and syslog drop records beyond their rate limits, and still report success. */
	if (policy->required && strcmp(policy->file, "none") == 0)
		return error_set(err, ERR_INPUT,
				 "%s: [audit]: required = yes needs a file: the journal and syslog "
				 "silently drop records",
				 path);
	return 0;
}

/* The policy without a file: everybody may do everything. */
static int open_to_all(struct policy **out, struct error **err)
{
	return policy_parse(
		NULL,
		"[allow everybody]\nusers = *\nfolders = *\nkeyrings = *\nrepository-keyrings = *\n"
		"tree-modes = 0700 0755\nolder-releases = yes\nmax-size = none\n"
		"max-count = none\nmax-seconds = none\n"
		"[audit]\njournal = no\nfile = none\n",
		out, err);
}

int policy_load(const char *path, bool required, struct policy **out, struct error **err)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	_cleanup_close_ int file = open(path, O_RDONLY | flags), directory = -1;
	_cleanup_free_ char *text = malloc(BYTES_MAX);
	char above[PATH_MAX], more;
	ssize_t size;

	*out = NULL;
	if (file < 0 && errno == ENOENT)
		return !required ? open_to_all(out, err)
				 : error_set(err, ERR_REFUSED,
					     "%s is missing, and without it an installed "
					     "rootlet-helper refuses every request; ask an "
					     "administrator to create it from "
					     "policy.conf.example",
					     path);
	if (file < 0)
		return error_errno(err, ERR_HOST, "cannot open %s", path);
	/* Anyone else who could write or replace it would decide what it says. */
	snprintf(above, sizeof(above), "%.*s", (int)(strrchr(path, '/') - path), path);
	directory = open(above, O_PATH | flags);
	if (!owned_by(directory, S_IFDIR, 0) || !owned_by(file, S_IFREG, 0))
		return error_set(
			err, ERR_HOST,
			"%s is refused: it must be a regular file, and it and its directory "
			"must belong to root, and only root may write to them; run: chown "
			"root: %s %s && chmod go-w %s %s",
			path, above, path, above, path);
	size = text ? read(file, text, BYTES_MAX - 1) : -1;
	if (size < 0)
		return error_errno(err, ERR_SYSTEM, "cannot read %s", path);
	text[size] = '\0';
	if (strlen(text) != (size_t)size || read(file, &more, 1) != 0)
		return error_set(err, ERR_INPUT, "%s: too long, or has NUL bytes", path);
	return policy_parse(path, text, out, err);
}
