#include "policy/privilege_sets.h"

#include <linux/capability.h>
#include <stddef.h>
#include <string.h>

#include "seccomp_lists.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* A filter is inherited, so the jailer's list holds what its children need, and its default is an
 * error: theirs must be able to see ENOSYS. */
/* clang-format off */
const struct privileges privilege_sets[PRIVILEGES_COUNT] = {
	[PRIVILEGES_OUTER] = { "outer", 0, { outer_calls }, true, false, FILES_NONE },
	[PRIVILEGES_PARSER] = { "parser", 0, { parser_calls }, true, false, FILES_NONE },
	[PRIVILEGES_JAILER] = { "jailer",
				/* FSETID: a clone keeps the setgid bit of folders of any group. */
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |
					CAP(SETUID) | CAP(SETGID) | CAP(SETFCAP),
				{ jailer_calls, jail_calls, tool_calls }, false, false, FILES_ANY },
	[PRIVILEGES_JAIL] = { "jail",
			      CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |
				      CAP(SETUID) | CAP(SETGID) | CAP(SETFCAP) | CAP(KILL),
			      { tool_calls, jail_calls }, false, true, FILES_TREE },
	/* What it unpacks for debootstrap dpkg unpacks anew, in the tree's jail, but for folders,
	 * which keep their setgid bit only with FSETID; images hold what only its owner may read.
	 */
	[PRIVILEGES_TOOL] = { "tool",
			      CAP(CHOWN) | CAP(DAC_READ_SEARCH) | CAP(FSETID),
			      { tool_calls }, false, true, FILES_TOOL },
	[PRIVILEGES_UNPACK] = { "unpacker",
				CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID),
				{ unpack_calls }, true, true, FILES_TREE },
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
	for (size_t i = 0; i < sizeof(p->lists) / sizeof(*p->lists) && p->lists[i]; i++)
		if (has(p->lists[i], name))
			return true;
	return false;
}

bool privileges_sync_call(const char *name)
{
	static const char *const calls[] = { "fsync",		"fdatasync", "sync", "msync",
					     "sync_file_range", "syncfs",    NULL };

	return has(calls, name);
}
