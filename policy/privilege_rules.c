#include "policy/privilege_rules.h"

#include <string.h>

static bool has(const char *const *calls, const char *name)
{
	for (; *calls; calls++)
		if (strcmp(*calls, name) == 0)
			return true;
	return false;
}

bool privileges_list(const struct privileges *p, const char *name)
{
	for (size_t i = 0; i < PRIVILEGES_LISTS && p->lists[i]; i++)
		if (has(p->lists[i]->calls, name))
			return true;
	return false;
}

const struct argument_rule *privileges_rule(const struct privileges *p, size_t i,
					    const struct argument_rule *rule)
{
	if (i >= PRIVILEGES_LISTS || !p->lists[i])
		return NULL;
	for (const struct argument_rule *r = p->lists[i]->arguments; r->call; r++)
		if (r->argument == rule->argument && strcmp(r->call, rule->call) == 0)
			return r;
	return NULL;
}

bool privileges_is_first(const struct privileges *p, const struct argument_rule *rule)
{
	for (size_t i = 0; i < PRIVILEGES_LISTS; i++) {
		const struct argument_rule *r = privileges_rule(p, i, rule);

		if (r)
			return r == rule;
	}
	return false;
}

bool privileges_sync_call(const char *name)
{
	static const char *const calls[] = { "fsync",		"fdatasync", "sync", "msync",
					     "sync_file_range", "syncfs",    NULL };

	return has(calls, name);
}
