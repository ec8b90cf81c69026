#include "policy/decide.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#define MODE_SIZE 16

void decision_take(const struct grant *g, struct decision *d, bool allowed, const char *key)
{
	d->allowed = allowed;
	d->why[0] = '\0';
	if (!g->policy->path)
		snprintf(d->rule, sizeof(d->rule), "no policy");
	else if (!g->rule)
		snprintf(d->rule, sizeof(d->rule), "no section");
	else
		snprintf(d->rule, sizeof(d->rule), "allow %s: %s", g->rule->name, key);
}

void decision_refuse(const struct grant *g, struct decision *d, const char *key, const char *what,
		     const char *which)
{
	decision_take(g, d, false, key);
	snprintf(d->why, sizeof(d->why),
		 "%s %.120s is not allowed: see %s of [allow %s] in %s, line %u", what, which, key,
		 g->rule->name, g->policy->path ? g->policy->path : "no policy", g->rule->line);
}

static bool has_word(const char *words, const char *word)
{
	for (; *words; words = policy_next_word(words))
		if (strcmp(words, "*") == 0 || strcmp(words, word) == 0)
			return true;
	return false;
}

static bool beneath(const char *path, const char *before, const char *dir)
{
	size_t a = strlen(before), b = strlen(dir);

	return strncmp(path, before, a) == 0 && strncmp(path + a, dir, b) == 0 &&
	       (path[a + b] == '\0' || path[a + b] == '/');
}

static bool dir_allowed(const struct grant *g, const char *path)
{
	for (const char *word = g->rule->dirs; *word; word = policy_next_word(word)) {
		if (strcmp(word, "*") == 0)
			return true;
		if (*word != '~' ? beneath(path, "", word)
				 : *g->caller.home && beneath(path, g->caller.home, word + 1))
			return true;
	}
	return false;
}

static bool keyring_is_file(const struct keyring *k, const struct stat *st)
{
	return k->file == st->st_ino && k->device == st->st_dev;
}

/* It must be the very file that the policy names, and have belonged to root when the grant was
 * made, so that its content is what root put there. */
static bool keyring_allowed(const char *word, const struct keyring known[static KEYRINGS_MAX],
			    int keyring)
{
	struct stat have, want;

	if (fstat(keyring, &have) < 0)
		return false;
	for (size_t i = 0; *word; word = policy_next_word(word), i++)
		if (strcmp(word, "*") == 0 ||
		    (i < KEYRINGS_MAX && keyring_is_file(&known[i], &have) &&
		     stat(word, &want) == 0 && keyring_is_file(&known[i], &want)))
			return true;
	return false;
}

static bool package_denied(const struct grant *g, const char *package)
{
	for (const char *word = g->rule->denied_packages; *word; word = policy_next_word(word))
		if (fnmatch(word, package, 0) == 0)
			return true;
	return false;
}

static const char *mode_text(unsigned mode, char text[static MODE_SIZE])
{
	snprintf(text, MODE_SIZE, "%04o", mode);
	return text;
}

static bool mode_allowed(const struct grant *g, unsigned mode)
{
	char text[MODE_SIZE];

	return has_word(g->rule->tree_modes, mode_text(mode, text));
}

void policy_decide(const struct grant *g, const struct question *q, struct decision *d)
{
	bool repository = strcmp(q->request, "Repository") == 0;
	char mode[MODE_SIZE];

	if (!g->rule) {
		decision_take(g, d, false, "");
		snprintf(d->why, sizeof(d->why),
			 "%s is not allowed: no [allow …] section of %s names "
			 "%s or one of their groups",
			 q->request, g->policy->path, g->caller.name);
		return;
	}
	decision_take(g, d, true, "operations");
	if (q->word && !has_word(g->rule->operations, q->word))
		decision_refuse(g, d, "operations", "operation", q->word);
	else if (q->replaces && !has_word(g->rule->operations, "delete"))
		decision_refuse(g, d, "operations", "operation", "delete");
	else if (q->dir && !dir_allowed(g, q->dir))
		decision_refuse(g, d, "folders", "a rootfs in", q->dir);
	else if (q->suite && !has_word(g->rule->releases, q->suite))
		decision_refuse(g, d, "releases", "release", q->suite);
	else if (q->keyring >= 0 && repository &&
		 !keyring_allowed(g->rule->repository_keyrings, g->repository_keyrings, q->keyring))
		decision_refuse(g, d, "repository-keyrings", "a repository with this keyring", "");
	else if (q->keyring >= 0 && !repository &&
		 !keyring_allowed(g->rule->keyrings, g->keyrings, q->keyring))
		decision_refuse(g, d, "keyrings", "this keyring", "");
	else if (q->package && package_denied(g, q->package))
		decision_refuse(g, d, "deny-packages", "package", q->package);
	else if (q->older && !g->rule->older_releases)
		decision_refuse(g, d, "older-releases", "option", q->older);
	else if (q->engine && !has_word(g->rule->engines, q->engine))
		decision_refuse(g, d, "engines", "engine", q->engine);
	else if (q->mode && !mode_allowed(g, q->mode))
		decision_refuse(g, d, "tree-modes", "a rootfs of mode", mode_text(q->mode, mode));
}

void policy_decide_limit(const struct grant *g, const char *key, uint64_t limit, uint64_t value,
			 struct decision *d)
{
	char number[64];

	decision_take(g, d, true, key);
	snprintf(number, sizeof(number), "%ju (maximum: %ju)", (uintmax_t)value, (uintmax_t)limit);
	if (limit != POLICY_NONE && value > limit)
		decision_refuse(g, d, key, "a value of", number);
}
