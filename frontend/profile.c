#include "frontend/profile.h"

#include <fcntl.h>
#include <ini.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/paths.h"
#include "frontend/tree.h"
#include "proto/validate.h"

#define PROFILE_BYTES_MAX (256 * 1024)

struct parser {
	struct profile *profile;
	struct error **err;
	const char *text; /* what is left to read */
	unsigned line;
	unsigned empty_section; /* the line of a header that no key has followed yet, or 0 */
};

static int complain(const struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);
static int complain(const struct parser *p, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	error_set(p->err, ERR_INPUT, "%s:%u: %s", p->profile->path, p->line,
		  message ? message : "out of memory");
	return 0; /* what inih takes as failure */
}

/* Grows *ARRAY of COUNT elements of SIZE bytes by a zeroed one; NULL where memory is short. */
static void *grow(void *array, size_t count, size_t size)
{
	void **where = array;
	char *bigger = reallocarray(*where, count + 1, size);

	if (!bigger)
		return NULL;
	*where = bigger;
	return memset(bigger + count * size, 0, size);
}

static int add_word(char ***words, size_t *count, const char *word)
{
	char **end;

	for (size_t i = 0; i < *count; i++)
		if (strcmp((*words)[i], word) == 0)
			return 0;
	/* The NULL at the end is counted as an element while it grows. */
	end = grow(words, *count + 1, sizeof(char *));
	if (!end)
		return -1;
	end[-1] = strdup(word);
	if (!end[-1])
		return -1;
	(*count)++;
	return 0;
}

/* Adds each word of VALUE to WORDS; VALID must accept it. inih's results: 1 is good. */
static int add_words(const struct parser *p, const char *value, const char *what, size_t most,
		     bool (*valid)(const char *), char ***words, size_t *count)
{
	_cleanup_free_ char *copy = strdup(value);
	char *rest = NULL, *word;

	for (word = copy ? strtok_r(copy, " \t,", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t,", &rest)) {
		if (!valid(word))
			return complain(p, "\"%s\" is no %s", word, what);
		if (*count >= most)
			return complain(p, "more than %zu words", most);
		if (add_word(words, count, word) < 0)
			return complain(p, "out of memory");
	}
	return 1;
}

static int parse_id(const struct parser *p, const char *value, uint32_t *id)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n > UINT32_MAX ||
	    !valid_account_id((uint32_t)n))
		return complain(p, "\"%s\" is no id between 1 and %d", value, ID_MAX_IN_ROOTFS);
	if (*id)
		return complain(p, "given twice");
	*id = (uint32_t)n;
	return 1;
}

static int parse_inner_path(const struct parser *p, const char *value, char **path)
{
	if (!valid_inner_path(value))
		return complain(p, "\"%s\" is no absolute path of a rootfs", value);
	if (*path)
		return complain(p, "given twice");
	*path = strdup(value);
	return *path ? 1 : complain(p, "out of memory");
}

static int parse_profile_key(const struct parser *p, const char *key, const char *value)
{
	struct profile *profile = p->profile;
	size_t count = 0;

	if (strcmp(key, "description") == 0) {
		free(profile->description);
		profile->description = strdup(value);
		return profile->description ? 1 : complain(p, "out of memory");
	}
	if (strcmp(key, "suites") == 0) {
		while (profile->suites && profile->suites[count])
			count++;
		return add_words(p, value, "release", 64, valid_archive_word, &profile->suites,
				 &count);
	}
	return complain(p, "unknown key \"%s\" in [profile]: it has description and suites", key);
}

/* Each word of VALUE is a pattern; their order decides. */
static int parse_files_key(const struct parser *p, const char *key, const char *value)
{
	bool include = strcmp(key, "path-include") == 0;
	_cleanup_free_ char *copy = strdup(value);
	struct profile *profile = p->profile;
	char *rest = NULL, *word;

	if (!include && strcmp(key, "path-exclude") != 0)
		return complain(p,
				"unknown key \"%s\" in [files]: it has path-exclude and "
				"path-include",
				key);
	for (word = copy ? strtok_r(copy, " \t", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t", &rest)) {
		struct path_filter *filter;

		if (!valid_filter_pattern(word))
			return complain(p,
					"\"%.150s\" is no absolute pattern of less than %d bytes",
					word, FILTER_PATTERN_SIZE);
		if (profile->filter_count == FILTERS_MAX)
			return complain(p, "more than %d patterns", FILTERS_MAX);
		filter = grow(&profile->filters, profile->filter_count, sizeof(*filter));
		if (!filter || !(filter->pattern = strdup(word)))
			return complain(p, "out of memory");
		filter->include = include;
		profile->filter_count++;
	}
	return 1;
}

static struct account_group *group_named(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return &p->groups[i];
	return NULL;
}

static struct account_group *group_add(struct profile *p, const char *name, unsigned line)
{
	struct account_group *group = grow(&p->groups, p->group_count, sizeof(*group));

	if (!group || !(group->name = strdup(name)))
		return NULL;
	group->line = line;
	p->group_count++;
	return group;
}

static int parse_group_key(const struct parser *p, const char *name, const char *key,
			   const char *value)
{
	struct account_group *group = group_named(p->profile, name);

	if (!valid_account_name(name))
		return complain(p, "\"%s\" is no name for a group", name);
	if (strcmp(key, "comment") == 0)
		return 1;
	if (strcmp(key, "gid") != 0)
		return complain(p, "unknown key \"%s\" of a group: it has gid and comment", key);
	if (!group)
		group = group_add(p->profile, name, p->line);
	return group ? parse_id(p, value, &group->gid) : complain(p, "out of memory");
}

static struct account *user_of(struct profile *p, const char *name, unsigned line)
{
	struct account *user;

	for (size_t i = 0; i < p->user_count; i++)
		if (strcmp(p->users[i].name, name) == 0)
			return &p->users[i];
	user = grow(&p->users, p->user_count, sizeof(*user));
	if (!user || !(user->name = strdup(name)))
		return NULL;
	user->line = line;
	p->user_count++;
	return user;
}

static int parse_user_key(const struct parser *p, const char *name, const char *key,
			  const char *value)
{
	struct account *user;

	if (!valid_account_name(name))
		return complain(p, "\"%s\" is no name for a user", name);
	user = user_of(p->profile, name, p->line);
	if (!user)
		return complain(p, "out of memory");
	if (strcmp(key, "uid") == 0)
		return parse_id(p, value, &user->uid);
	if (strcmp(key, "gid") == 0)
		return parse_id(p, value, &user->gid);
	if (strcmp(key, "groups") == 0)
		return add_words(p, value, "name for a group", GROUPS_MAX, valid_account_name,
				 &user->groups, &user->group_count);
	if (strcmp(key, "home") == 0)
		return parse_inner_path(p, value, &user->home);
	if (strcmp(key, "shell") == 0)
		return parse_inner_path(p, value, &user->shell);
	if (strcmp(key, "comment") == 0)
		return 1;
	return complain(p,
			"unknown key \"%s\" of a user: it has uid, gid, groups, home, shell and "
			"comment",
			key);
}

static int parse_key(void *context, const char *section, const char *key, const char *value)
{
	struct parser *p = context;

	if (p->err && *p->err)
		return 0;
	p->empty_section = 0;
	if (strcmp(section, "profile") == 0)
		return parse_profile_key(p, key, value);
	if (strcmp(section, "packages") == 0)
		return add_words(p, value, "name for a package", PACKAGES_MAX, valid_package_name,
				 &p->profile->packages, &p->profile->package_count);
	if (strcmp(section, "files") == 0)
		return parse_files_key(p, key, value);
	if (strncmp(section, "group ", 6) == 0)
		return parse_group_key(p, section + 6, key, value);
	if (strncmp(section, "user ", 5) == 0)
		return parse_user_key(p, section + 5, key, value);
	return complain(p,
			"unknown section [%s]: there are [profile], [packages], [files], [group "
			"NAME] and [user NAME]",
			section);
}

/* Hands inih one line. It would split a line longer than its buffer and read on in the middle, and
 * it does not report a section without keys. */
static char *read_line(char *line, int size, void *context)
{
	struct parser *p = context;
	size_t n = strcspn(p->text, "\n");

	if ((p->err && *p->err) || !*p->text)
		return NULL;
	if (p->empty_section && p->text[0] == '[') {
		p->line = p->empty_section;
		complain(p, "a section without a key");
		return NULL;
	}
	p->line++;
	if (p->text[0] == '[')
		p->empty_section = p->line;
	if (n + 2 > (size_t)size) {
		complain(p, "a line of more than %d bytes; go on in the next one, indented",
			 size - 2);
		return NULL;
	}
	memcpy(line, p->text, n);
	line[n] = '\0';
	p->text += n + (p->text[n] == '\n');
	return line;
}

/* The group that USER's gid is to mean: a declared one, or one of its own. */
static int complete_primary_group(struct profile *p, const struct account *user, struct error **err)
{
	struct account_group *group;

	for (size_t i = 0; i < p->group_count; i++)
		if (p->groups[i].gid == user->gid)
			return 0;
	if (group_named(p, user->name))
		return error_set(err, ERR_INPUT,
				 "%s:%u: user %s has gid %u, but group %s has another; "
				 "declare a group with gid %u",
				 p->path, user->line, user->name, user->gid, user->name, user->gid);
	group = group_add(p, user->name, user->line);
	if (!group)
		return error_set(err, ERR_SPACE, "out of memory");
	group->gid = user->gid;
	return 0;
}

static int complete_user(struct profile *p, struct account *user, struct error **err)
{
	if (!user->uid)
		return error_set(err, ERR_INPUT, "%s:%u: user %s has no uid", p->path, user->line,
				 user->name);
	if (!user->gid)
		user->gid = user->uid;
	for (const struct account *other = p->users; other < user; other++)
		if (other->uid == user->uid)
			return error_set(err, ERR_INPUT,
					 "%s:%u: users %s and %s have the same uid %u", p->path,
					 user->line, other->name, user->name, user->uid);
	if (!user->home && asprintf(&user->home, "/home/%s", user->name) < 0)
		user->home = NULL;
	if (!user->shell)
		user->shell = strdup("/bin/bash");
	if (!user->home || !user->shell)
		return error_set(err, ERR_SPACE, "out of memory");
	return complete_primary_group(p, user, err);
}

/* What only the whole file can tell: missing ids, ids given twice, groups that nobody declares. */
static int complete(struct profile *p, struct error **err)
{
	for (size_t i = 0; i < p->group_count; i++)
		for (size_t j = 0; j < i; j++)
			if (p->groups[i].gid == p->groups[j].gid)
				return error_set(err, ERR_INPUT,
						 "%s:%u: groups %s and %s have the same gid %u",
						 p->path, p->groups[i].line, p->groups[j].name,
						 p->groups[i].name, p->groups[i].gid);
	for (size_t i = 0; i < p->user_count; i++)
		if (complete_user(p, &p->users[i], err) < 0)
			return -1;
	for (size_t i = 0; i < p->user_count; i++)
		for (size_t j = 0; j < p->users[i].group_count; j++)
			if (!group_named(p, p->users[i].groups[j]))
				return error_set(err, ERR_INPUT,
						 "%s:%u: user %s is to be in group %s, "
						 "which no section declares",
						 p->path, p->users[i].line, p->users[i].name,
						 p->users[i].groups[j]);
	return 0;
}

static int parse(struct profile *profile, const char *text, struct error **err)
{
	struct error *error = NULL;
	struct parser p = { .profile = profile, .err = &error, .text = text };
	int line = ini_parse_stream(read_line, &p, parse_key, &p);

	if (!error && line)
		error_set(&error, ERR_INPUT, "%s:%d: neither [section] nor key = value",
			  profile->path, line);
	if (!error && p.empty_section) {
		p.line = p.empty_section;
		complain(&p, "a section without a key");
	}
	if (error) {
		error_set(err, error->code, "%s", error->message);
		error_free(&error);
		return -1;
	}
	return complete(profile, err);
}

static int hash(const char *text, size_t size, char hex[static 65])
{
	uint8_t sum[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text, size, sum, NULL, EVP_sha256(), NULL) != 1)
		return -1;
	sha256_to_hex(sum, hex);
	return 0;
}

/* The first of the profile's places that has it. */
static char *find(const char *name, struct error **err)
{
	_cleanup_free_ char *file = NULL, *own = NULL, *ours = NULL;

	if (asprintf(&file, "profiles/%s.conf", name) < 0) {
		file = NULL;
		error_set(err, ERR_SPACE, "out of memory");
		return NULL;
	}
	own = paths_config(file, err);
	if (!own)
		return NULL;
	if (access(own, F_OK) == 0)
		return STEAL_PTR(own);
	ours = paths_policy(file, err);
	if (ours && access(ours, F_OK) == 0)
		return STEAL_PTR(ours);
	if (ours)
		error_set(err, ERR_MISSING, "no profile \"%s\": neither %s nor %s is there", name,
			  own, ours);
	return NULL;
}

int profile_load(const char *name, struct profile **out, struct error **err)
{
	_cleanup_(profile_free) struct profile *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!valid_rootfs_name(name))
		return error_set(err, ERR_INPUT, "\"%.80s\" is no name for a profile", name);
	if (!p || !(p->name = strdup(name)))
		return error_set(err, ERR_SPACE, "out of memory");
	p->path = find(name, err);
	if (!p->path)
		return -1;
	text = file_read(p->path, PROFILE_BYTES_MAX, &size, err);
	if (!text)
		return -1;
	if (strlen(text) != size)
		return error_set(err, ERR_INPUT, "%s: has NUL bytes", p->path);
	if (hash(text, size, p->sha256) < 0)
		return error_set(err, ERR_SYSTEM, "cannot hash %s", p->path);
	if (parse(p, text, err) < 0)
		return -1;
	*out = STEAL_PTR(p);
	return 0;
}

int profile_add_package(struct profile *p, const char *package, struct error **err)
{
	if (!valid_package_name(package))
		return error_set(err, ERR_INPUT, "\"%.120s\" is no name for a package", package);
	if (add_word(&p->packages, &p->package_count, package) < 0)
		return error_set(err, ERR_SPACE, "out of memory");
	return 0;
}

static void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

void account_clear(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	words_free(a->groups);
}

void profile_free(struct profile **p)
{
	struct profile *profile = *p;

	if (!profile)
		return;
	for (size_t i = 0; i < profile->group_count; i++)
		free(profile->groups[i].name);
	for (size_t i = 0; i < profile->user_count; i++)
		account_clear(&profile->users[i]);
	for (size_t i = 0; i < profile->filter_count; i++)
		free(profile->filters[i].pattern);
	free(profile->filters);
	free(profile->groups);
	free(profile->users);
	words_free(profile->suites);
	words_free(profile->packages);
	free(profile->name);
	free(profile->path);
	free(profile->description);
	free(profile);
	*p = NULL;
}
