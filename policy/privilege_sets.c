#include "policy/privilege_sets.h"

#include <fcntl.h>
#include <linux/capability.h>
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

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* A filter is inherited, so the jailer's list holds what its children need, and its default is an
 * error: theirs must be able to see ENOSYS. */
/* clang-format off */
const struct privileges privilege_sets[PRIVILEGES_COUNT] = {
	[PRIVILEGES_WAITER] = { "waiter", 0, { &waiter_list }, true, false, FILES_NONE },
	[PRIVILEGES_OUTER] = { "outer", 0, { &outer_list }, true, false, FILES_NONE },
	[PRIVILEGES_PARSER] = { "parser", 0, { &parser_list }, true, false, FILES_NONE },
	[PRIVILEGES_JAILER] = { "jailer",
				/* FSETID: a clone keeps the setgid bit of folders of any group. */
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |
					CAP(SETUID) | CAP(SETGID) | CAP(SETFCAP),
				{ &jailer_list, &jail_list, &tool_list }, false, false, FILES_ANY },
	[PRIVILEGES_JAIL] = { "jail",
			      CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |
				      CAP(SETUID) | CAP(SETGID) | CAP(SETFCAP) | CAP(KILL),
			      { &tool_list, &jail_list }, false, true, FILES_TREE },
	/* What it unpacks for debootstrap dpkg unpacks anew, in the tree's jail, but for folders,
	 * which keep their setgid bit only with FSETID; images hold what only its owner may read.
	 */
	[PRIVILEGES_TOOL] = { "tool",
			      CAP(CHOWN) | CAP(DAC_READ_SEARCH) | CAP(FSETID),
			      { &tool_list }, false, true, FILES_TOOL },
	[PRIVILEGES_UNPACK] = { "unpacker",
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID),
				{ &unpack_list }, true, true, FILES_TREE },
	[PRIVILEGES_FETCH] = { "fetch", 0, { &fetch_list }, true, false, FILES_CACHE },
};
/* clang-format on */

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
