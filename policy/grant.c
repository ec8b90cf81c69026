#include "policy/grant.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/canonical.h"

int caller_self(struct caller *c, accounts_isolate *isolate, struct error **err)
{
	struct host_account account = { 0 };
	int count;

	*c = (struct caller){ .uid = getuid(), .gid = getgid(), .isolate = isolate };
	snprintf(c->name, sizeof(c->name), "%u", c->uid);
	if (accounts_find(ACCOUNTS_USERS, c->name, isolate, &account, err) < 0)
		return -1;
	if (*account.name)
		memcpy(c->name, account.name, sizeof(c->name));
	if (*account.home && directory_canonical(account.home, c->home) < 0)
		*c->home = '\0';
	count = getgroups(CALLER_GROUPS_MAX, c->groups);
	if (count < 0)
		return error_errno(err, ERR_HOST, "cannot read the caller's groups");
	c->group_count = (size_t)count;
	return 0;
}

/* Returns 1, 0, or -1 with ERR set. */
static int in_group(const struct caller *c, const char *word, struct error **err)
{
	struct host_account group = { .id = (gid_t)strtoul(word, NULL, 10) };
	bool is_number = word[strspn(word, "0123456789")] == '\0';
	int found = 1;

	if (!is_number)
		found = accounts_find(ACCOUNTS_GROUPS, word, c->isolate, &group, err);
	if (found <= 0 || c->gid == group.id)
		return found;
	for (size_t i = 0; i < c->group_count; i++)
		if (c->groups[i] == group.id)
			return 1;
	return 0;
}

/* Returns 1, 0, or -1 with ERR set. */
static int grant_names_caller(const struct policy_rule *rule, const struct caller *c,
			      struct error **err)
{
	char number[16];
	int found;

	snprintf(number, sizeof(number), "%u", c->uid);
	for (const char *word = rule->users; *word; word = policy_next_word(word))
		if (strcmp(word, "*") == 0 || strcmp(word, c->name) == 0 ||
		    strcmp(word, number) == 0)
			return 1;
	for (const char *word = rule->groups; *word; word = policy_next_word(word))
		if ((found = in_group(c, word, err)) != 0)
			return found;
	return 0;
}

static void find_keyrings(const char *word, struct keyring found[static KEYRINGS_MAX])
{
	struct stat st;

	for (size_t i = 0; i < KEYRINGS_MAX && *word; word = policy_next_word(word), i++) {
		_cleanup_close_ int fd = directory_open_path(word, O_PATH);

		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0)
			found[i] = (struct keyring){ st.st_dev, st.st_ino };
	}
}

int grant_make(struct grant *g, const struct policy *policy, const struct caller *caller,
	       struct error **err)
{
	const struct policy_rule *rule = policy->rules;
	int named = 0;

	*g = (struct grant){ .policy = policy, .caller = *caller };
	while (rule && (named = grant_names_caller(rule, caller, err)) == 0)
		rule = rule->next;
	if (named < 0)
		return -1;
	g->rule = rule;
	if (!rule)
		return 0;
	find_keyrings(rule->keyrings, g->keyrings);
	find_keyrings(rule->repository_keyrings, g->repository_keyrings);
	return 0;
}

bool policy_find_range(const struct policy *p, const char *name, uid_t uid, uint32_t *first)
{
	for (const struct policy_range *r = p->ranges; r; r = r->next)
		if (strcmp(r->user, name) == 0) {
			*first = (uint32_t)r->first;
			return true;
		}
	if (uid < p->uid_from || uid > p->uid_to)
		return false;
	*first = (uint32_t)(p->first + (uint64_t)(uid - p->uid_from) * POLICY_SLOT);
	return true;
}

int policy_range(const struct grant *g, uint32_t *first, struct error **err)
{
	const struct policy *p = g->policy;

	if (!g->rule)
		return error_set(
			err, ERR_REFUSED,
			"nothing is allowed: no [allow …] section of %s names %s or one of their "
			"groups; ask an administrator to add one",
			p->path, g->caller.name);
	if (policy_find_range(p, g->caller.name, g->caller.uid, first))
		return 0;
	return error_set(err, ERR_REFUSED,
			 "[ids] of %s gives %s (uid %u) no range of ids; ask an administrator to "
			 "add this line there: user %s = FIRST",
			 p->path, g->caller.name, g->caller.uid, g->caller.name);
}
