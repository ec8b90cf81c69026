#include "policy/privilege_rules.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/random.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "seccomp_lists.h"

#define LISTS_MAX 3 /* of one set */

/* Filters are inherited, so the jailer's lists include what its children need, and its default is
 * an error, because the children's lists must be able to answer ENOSYS. */
static const struct call_list *const lists[PRIVILEGES_COUNT][LISTS_MAX + 1] = {
	[PRIVILEGES_WAITER] = { &waiter_list },
	[PRIVILEGES_AUDIT] = { &audit_list },
	[PRIVILEGES_PARSER] = { &parser_list },
	[PRIVILEGES_JAILER] = { &jailer_list, &jail_list, &tool_list },
	[PRIVILEGES_JAIL] = { &tool_list, &jail_list },
	[PRIVILEGES_TOOL] = { &tool_list },
	[PRIVILEGES_UNPACK] = { &worker_list, &unpack_list },
	[PRIVILEGES_ASSEMBLER] = { &worker_list, &unpack_list, &assembler_list },
	[PRIVILEGES_FETCH] = { &fetch_list },
	[PRIVILEGES_READER] = { &worker_list, &reader_list },
	[PRIVILEGES_COPIER] = { &worker_list, &copier_list },
	[PRIVILEGES_REMOVER] = { &worker_list, &remover_list },
};

const struct call_list *const *privileges_lists(const struct privileges *p)
{
	return lists[p - privilege_sets];
}

static bool privilege_has(const char *const *calls, const char *name)
{
	for (; *calls; calls++)
		if (strcmp(*calls, name) == 0)
			return true;
	return false;
}

bool privileges_list(const struct privileges *p, const char *name)
{
	for (const struct call_list *const *list = privileges_lists(p); *list; list++)
		if (privilege_has((*list)->calls, name))
			return true;
	return false;
}

const struct argument_rule *privileges_rule(const struct call_list *list,
					    const struct argument_rule *rule)
{
	for (const struct argument_rule *r = list->arguments; r->call; r++)
		if (r->argument == rule->argument && strcmp(r->call, rule->call) == 0)
			return r;
	return NULL;
}

bool privileges_is_first(const struct privileges *p, const struct argument_rule *rule)
{
	const struct call_list *const *list = privileges_lists(p);

	while (*list && !privileges_rule(*list, rule))
		list++;
	return *list && privileges_rule(*list, rule) == rule;
}

bool privileges_sync_call(const char *name)
{
	static const char *const calls[] = { "fsync",		"fdatasync", "sync", "msync",
					     "sync_file_range", "syncfs",    NULL };

	return privilege_has(calls, name);
}
