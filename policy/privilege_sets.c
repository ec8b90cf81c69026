#include "policy/privilege_sets.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/random.h>
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
	[PRIVILEGES_AUDIT] = { "audit", 0, { &audit_list }, true, false, FILES_NONE },
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
};
/* clang-format on */
